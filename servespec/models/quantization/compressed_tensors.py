"""compressed-tensors: groups of targets, each with a scheme (vLLM 0.32.0 quantization/compressed_tensors)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servespec.errors import UnmodelledError
from servespec.models.config import Config
from servespec.models.facts import Quantization, WeightFormat

# Targets that name a class of module rather than modules.
CLASSES = {"Linear": "*", "LinearBase": "*", "FusedMoE": "*.experts.*"}


def parse(config: Config) -> Quantization:
    """Formats of every group, in the order of the file; ignored modules keep the model's type."""
    formats: list[tuple[str, WeightFormat]] = []
    common = config.text("format")
    for name, group in config.mapping("config_groups").items():
        if not isinstance(group, Mapping):
            raise config.wrong((f"config_groups.{name}",), group, "a mapping")
        scheme = Config(group, path=f"{config.path}config_groups.{name}.")
        weights = scheme.mapping("weights")
        if not weights:
            continue
        found = weight_format(Config(weights, path=f"{scheme.path}weights."), scheme, common)
        targets = scheme.words("targets") or ("Linear",)
        formats += [(CLASSES.get(target, target), found) for target in targets]
    if not formats:
        raise UnmodelledError("quantization compressed-tensors without any group of weights")
    formats.sort(key=lambda entry: entry[0] == "*")  # names and expressions come before the class of all
    ignored = config.words("ignore")
    head = any(pattern.endswith("lm_head") for pattern, _ in formats)
    return Quantization(
        method="compressed-tensors",
        formats=tuple(formats),
        ignored=ignored if head else ("lm_head", *ignored),
        kv_cache_dtype=kv_cache_dtype(config.mapping("kv_cache_scheme")),
        lm_head=head,
    )


def kv_cache_dtype(scheme: Mapping[str, Any]) -> str | None:
    """``fp8`` where the KV cache's scales are in the checkpoint."""
    if scheme.get("num_bits") == 8 and scheme.get("type") == "float":
        return "fp8"
    return None


def weight_format(weights: Config, scheme: Config, common: str) -> WeightFormat:
    """The storage of one group's weights."""
    bits = weights.size("num_bits")
    kind = weights.text("type", default="int")
    strategy = weights.text("strategy")
    group_size = weights.size("group_size") if weights.raw("group_size") not in (None, -1) else None
    activations = scheme.mapping("input_activations")
    activation_bits = Config(activations, path=f"{scheme.path}input_activations.").optional("num_bits")
    dynamic = bool(activations.get("dynamic"))
    stored = scheme.text("format") or common
    if kind == "float" and bits == 4:
        if group_size == 32 or stored.startswith("mxfp4"):
            return WeightFormat(
                name="mxfp4", bits=4, group_size=32, scale_dtype="uint8", activation_bits=activation_bits
            )
        return WeightFormat(
            name="nvfp4",
            bits=4,
            group_size=group_size or 16,
            scale_dtype="float8_e4m3fn",
            global_scale=True,
            input_scale=bool(activations) and dynamic is not True,
            activation_bits=activation_bits,
        )
    if kind == "float" and bits == 8:
        if group_size == 32:
            return WeightFormat(
                name="mxfp8", bits=8, group_size=32, scale_dtype="uint8", activation_bits=activation_bits
            )
        block = weights.integers("block_structure") if strategy == "block" else ()
        if strategy == "group" and group_size:
            raise UnmodelledError("quantization compressed-tensors with fp8 weights in groups")
        return WeightFormat(
            name="fp8",
            bits=8,
            block=(block[0], block[1]) if len(block) == 2 else None,
            scale_dtype="float32" if block else "bfloat16",
            per_tensor_scale=strategy == "tensor",
            input_scale=bool(activations) and not dynamic,
            activation_bits=activation_bits,
            input_dynamic=dynamic,
        )
    if kind == "int" and bits in (2, 3, 4, 8):
        symmetric = weights.flag("symmetric", default=True)
        packed = activation_bits is None or bits != 8
        return WeightFormat(
            name="pack-quantized" if packed else "int-quantized",
            bits=bits,
            group_size=group_size,
            scale_dtype="bfloat16",
            zero_points=not symmetric,
            act_order=weights.raw("actorder") in ("group", "GROUP"),
            per_tensor_scale=strategy == "tensor",
            symmetric=symmetric,
            input_scale=bool(activations) and not dynamic,
            activation_bits=activation_bits,
            input_dynamic=dynamic,
        )
    raise UnmodelledError(f"quantization compressed-tensors with {bits}-bit {kind[:20]} weights")
