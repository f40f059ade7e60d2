"""Methods with one format for all layers: fp8, MXFP4, bitsandbytes, torchao, EETQ."""

from __future__ import annotations

from dataclasses import replace

from servespec.errors import UnmodelledError
from servespec.models.config import Config
from servespec.models.facts import Quantization, WeightFormat
from servespec.models.quantization.matching import anywhere


def fp8_format(config: Config) -> WeightFormat:
    """DeepSeek's blocks where ``weight_block_size`` says so, else one scale for each tensor.

    Scales are float32, or a byte each (``scale_fmt: ue8m0``, DeepSeek-V3.1 and later store them as float32
    all the same unless ``scale_dtype`` says otherwise).
    """
    block = config.integers("weight_block_size")
    if block and (len(block) != 2 or min(block) < 1):
        raise config.wrong(("weight_block_size",), block, "two whole numbers")
    dynamic = config.text("activation_scheme", default="dynamic") == "dynamic"
    return WeightFormat(
        name="fp8",
        bits=8,
        block=(block[0], block[1]) if block else None,
        scale_dtype="float32",
        per_tensor_scale=not block,
        input_scale=not dynamic,
        activation_bits=8,
        input_dynamic=dynamic,
    )


def fp8(config: Config) -> Quantization:
    """transformers' and DeepSeek's fp8."""
    ignored = config.words("ignored_layers", "modules_to_not_convert")
    kv_scheme = (
        config.text("kv_cache_quant_method", "kv_cache_scheme") if config.has("kv_cache_quant_method") else ""
    )
    return Quantization(
        method="fp8",
        formats=(("*", fp8_format(config)),),
        ignored=("lm_head", *ignored),
        kv_cache_dtype="fp8" if kv_scheme else None,
    )


def fp8_with_fp4_experts(config: Config) -> Quantization:
    """DeepSeek-V4: experts in MXFP4 (``expert_dtype: fp4``), all else in fp8 blocks with one-byte scales."""
    base = fp8(config)
    found = replace(base.formats[0][1], scale_dtype="float8_e8m0fnu")
    return replace(base, formats=((EXPERTS, MXFP4), ("*", found)), ignored=(*base.ignored, "head"))


def fbgemm_fp8(config: Config) -> Quantization:
    """Meta's fp8: a scale for each output channel, activations scaled for each token."""
    found = WeightFormat(name="fp8", bits=8, scale_dtype="float32", activation_bits=8, input_dynamic=True)
    return Quantization(
        method="fbgemm_fp8",
        formats=(("*", found),),
        ignored=("lm_head", *config.words("modules_to_not_convert")),
    )


EXPERTS = "*.experts.*"  # routed ones only: shared_experts is another component
MXFP4 = WeightFormat(name="mxfp4", bits=4, group_size=32, scale_dtype="uint8")


def mxfp4(config: Config) -> Quantization:
    """gpt-oss: the experts in MXFP4, all else as it is (vLLM 0.32.0 mxfp4.py: linear layers are unquantized)."""
    return Quantization(
        method="mxfp4",
        formats=((EXPERTS, MXFP4),),
        ignored=config.words("modules_to_not_convert"),
    )


def bitsandbytes(config: Config) -> Quantization:
    """NF4/FP4 in blocks of 64, or LLM.int8()."""
    four = config.flag("load_in_4bit", "_load_in_4bit")
    if not four and not config.flag("load_in_8bit", "_load_in_8bit"):
        raise UnmodelledError("quantization bitsandbytes with neither load_in_4bit nor load_in_8bit")
    found = WeightFormat(
        name="bitsandbytes",
        bits=4 if four else 8,
        group_size=64 if four else None,
        scale_dtype="float32",
        activation_bits=None if four else 8,
    )
    skipped = config.words("llm_int8_skip_modules")
    return Quantization(
        method="bitsandbytes",
        formats=(("*", found),),
        ignored=("lm_head", *map(anywhere, skipped)),
    )


# The type of torchao's configuration classes → bits, group size or None, activation bits.
TORCHAO: dict[str, tuple[str, int, int | None, int | None]] = {
    "Int4WeightOnlyConfig": ("torchao", 4, 128, None),
    "Int8WeightOnlyConfig": ("torchao", 8, None, None),
    "Int8DynamicActivationInt8WeightConfig": ("torchao", 8, None, 8),
    "Float8WeightOnlyConfig": ("torchao", 8, None, None),
    "Float8DynamicActivationFloat8WeightConfig": ("torchao", 8, None, 8),
}


def torchao(config: Config) -> Quantization:
    """torchao: the configuration class under ``quant_type`` decides."""
    quant_type = config.raw("quant_type")
    inner = quant_type.get("default") if isinstance(quant_type, dict) else None
    kind = inner.get("_type") if isinstance(inner, dict) else quant_type
    data = inner.get("_data", {}) if isinstance(inner, dict) else {}
    if kind not in TORCHAO:
        raise UnmodelledError(f"quantization torchao with {str(kind)[:60]}")
    name, bits, group_size, activation_bits = TORCHAO[kind]
    if group_size is not None and isinstance(data, dict):
        group_size = Config(data, path="quantization_config.quant_type.").size(
            "group_size", default=group_size
        )
    found = WeightFormat(
        name=name,
        bits=bits,
        group_size=group_size,
        scale_dtype="bfloat16" if activation_bits is None else "float32",
        zero_points=bits == 4,
        activation_bits=activation_bits,
        input_dynamic=activation_bits is not None,
    )
    return Quantization(
        method="torchao",
        formats=(("*", found),),
        ignored=("lm_head", *config.words("modules_to_not_convert")),
    )


def eetq(config: Config) -> Quantization:
    """EETQ: int8 with a float16 scale for each output channel."""
    found = WeightFormat(name="eetq", bits=8, scale_dtype="float16")
    return Quantization(
        method="eetq", formats=(("*", found),), ignored=("lm_head", *config.words("modules_to_not_convert"))
    )
