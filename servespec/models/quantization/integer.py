"""AWQ, GPTQ and AutoRound: packed integers with a scale for each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servespec.errors import UnmodelledError
from servespec.models.config import Config
from servespec.models.facts import Quantization, WeightFormat
from servespec.models.quantization.matching import anywhere

BITS = (2, 3, 4, 8)


def _bits(config: Config, *names: str) -> int:
    bits = config.size(*names)
    if bits not in BITS:
        raise config.wrong(names, bits, "2, 3, 4 or 8")
    return bits


def _group_size(config: Config, *names: str) -> int | None:
    """Weights that share a scale; −1 and null mean the whole channel."""
    if config.raw(*names) in (None, -1):
        return None
    return config.size(*names)


def awq(config: Config) -> Quantization:
    """AutoAWQ: zero points packed as the weights are, scales in float16."""
    found = WeightFormat(
        name="awq",
        bits=_bits(config, "bits", "w_bit"),
        group_size=_group_size(config, "group_size", "q_group_size"),
        zero_points=config.flag("zero_point", default=True),
        symmetric=not config.flag("zero_point", default=True),
    )
    ignored = tuple(anywhere(name) for name in config.words("modules_to_not_convert"))
    lm_head = config.flag("lm_head")
    return Quantization(
        method="awq",
        formats=(("*", found),),
        ignored=ignored if lm_head else ("lm_head", *ignored),
        lm_head=lm_head,
        towers=False,  # vLLM's model classes take AWQ and GPTQ off their towers (_maybe_ignore_quant_config)
    )


def gptq(config: Config) -> Quantization:
    """AutoGPTQ and GPTQModel, with ``dynamic`` overrides and ``modules_in_block_to_quantize``."""
    if config.has("sub_method") and config.text("sub_method") not in ("gptq", ""):
        raise UnmodelledError(f"quantization gptq with {config.text('sub_method')[:40]}")
    base = _gptq_format(config)
    formats: list[tuple[str, WeightFormat]] = []
    ignored: list[str] = []
    for pattern, change in config.mapping("dynamic").items():
        # GPTQModel: "-:regex" leaves a module as it is, "+:regex" or a bare one changes its settings
        expression = "re:" + pattern.removeprefix("-:").removeprefix("+:")
        if pattern.startswith("-:"):
            ignored.append(expression)
        elif isinstance(change, Mapping):
            formats.append((expression, _gptq_format(Config({**config.values, **change}, path=config.path))))
    formats += [(f"*.{name}", base) for name in _modules_in_block(config)]
    if not config.raw("modules_in_block_to_quantize"):
        formats.append(("*", base))
    lm_head = config.flag("lm_head")
    ignored += tuple(anywhere(name) for name in config.words("modules_to_not_convert"))
    return Quantization(
        method="gptq",
        formats=tuple(formats),
        ignored=tuple(ignored if lm_head else ["lm_head", *ignored]),
        lm_head=lm_head,
        towers=False,
    )


def _gptq_format(config: Config) -> WeightFormat:
    symmetric = config.flag("sym", default=True)
    return WeightFormat(
        name="gptq",
        bits=_bits(config, "bits"),
        group_size=_group_size(config, "group_size"),
        zero_points=not symmetric,
        act_order=config.flag("desc_act"),
        symmetric=symmetric,
    )


def _modules_in_block(config: Config) -> list[str]:
    names: list[str] = []
    for entry in config.items("modules_in_block_to_quantize"):
        names += [str(name) for name in entry] if isinstance(entry, list | tuple) else [str(entry)]
    return names


def auto_round(config: Config) -> Quantization:
    """AutoRound: GPTQ's or AWQ's packing, blocks and exceptions under its own keys."""
    packing = config.text("packing_format", default="auto_round:auto_gptq")
    if config.text("data_type", default="int") not in ("int", "int_sym", "int_asym"):
        raise UnmodelledError(f"quantization auto-round with data_type {config.text('data_type')[:40]}")
    values: dict[str, Any] = {**config.values, "modules_in_block_to_quantize": None}
    plain = Config(values, path=config.path)
    name = "awq" if "awq" in packing else "gptq"
    base = _auto_round_format(plain, name)
    formats: list[tuple[str, WeightFormat]] = []
    ignored: list[str] = []
    for module, change in config.mapping("extra_config").items():
        if not isinstance(change, Mapping):
            continue
        if change.get("bits", base.bits) >= 16:
            ignored.append(module)
        else:
            formats.append((module, _auto_round_format(Config({**values, **change}, path=config.path), name)))
    blocks = config.raw("block_name_to_quantize", "to_quant_block_names")
    names = blocks.split(",") if isinstance(blocks, str) else config.items("block_name_to_quantize")
    formats += [(str(block).strip(), base) for block in names if block] or [("*", base)]
    quantized_head = any(module.endswith("lm_head") for module, _ in formats)
    return Quantization(
        method="auto-round",
        formats=tuple(formats),
        ignored=tuple(ignored if quantized_head else ["lm_head", *ignored]),
        lm_head=quantized_head,
        towers=False,
    )


def _auto_round_format(config: Config, name: str) -> WeightFormat:
    symmetric = config.flag("sym", default=True)
    return WeightFormat(
        name=name,
        bits=_bits(config, "bits"),
        group_size=_group_size(config, "group_size"),
        zero_points=name == "awq" or not symmetric,
        symmetric=symmetric,
    )
