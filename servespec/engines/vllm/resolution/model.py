"""The model's type, quantization and context (vllm/config/model.py)."""

from __future__ import annotations

from servespec.engines.vllm.resolution.builder import Builder
from servespec.engines.vllm.resolution.execution import plain_mapping
from servespec.models.facts import ModelFacts

FLOAT16_REFUSED = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4"})
"""model_type whose activations overflow float16 (vllm 0.9.2 and 0.32.0 config/model.py, _FLOAT16_NOT_SUPPORTED_MODELS)."""

# ModelConfig accepts these words for a length that fits the memory (human_readable_int_or_auto).
AUTO_LENGTHS = (-1, "-1", "auto")


def settle(builder: Builder) -> None:
    """Type, quantization, context, adapters, towers."""
    _dtype(builder)
    _quantization(builder)
    _length(builder)
    _adapters(builder)
    _multimodal(builder)


def _dtype(builder: Builder) -> None:
    inputs = builder.inputs
    asked = inputs.spec.model.dtype
    value = builder.choose(
        "dtype", "auto", spec_value=None if asked == "auto" else asked, spec_key="model.dtype"
    )
    if value == "half":
        builder.derive("dtype", "float16", "half")
    elif value == "float":
        builder.derive("dtype", "float32", "float")
    elif value == "auto":
        builder.put("dtype", *_auto_dtype(builder, inputs.model))


def _auto_dtype(builder: Builder, model: ModelFacts) -> tuple[str, str]:
    """vllm/config/model.py, _resolve_auto_dtype: float32 becomes the platform's preferred half type.

    bfloat16 needs compute capability 8.0; below it float16 is taken. Before 0.9 float32 became
    float16 everywhere (vllm/config.py, _get_and_verify_dtype).
    """
    capability = builder.inputs.gpu.compute_capability
    has_bfloat16 = capability is None or capability >= (8, 0)
    if not has_bfloat16 and model.model_type in FLOAT16_REFUSED and builder.is_version(">=0.9"):
        # What is left of the platform's types once float16 is taken out for this model (_is_valid_dtype).
        return (
            "float32",
            f"derived from {builder.inputs.gpu.name}, which has no bfloat16, and a model refused in float16",
        )
    if model.dtype == "float32":
        if builder.is_version("<0.9"):
            return "float16", "derived from the checkpoint's float32"
        return ("bfloat16" if has_bfloat16 else "float16"), "derived from the checkpoint's float32"
    if model.dtype == "bfloat16" and not has_bfloat16:
        return "float16", f"derived from {builder.inputs.gpu.name}, which has no bfloat16"
    return model.dtype, "derived from the checkpoint"


def _quantization(builder: Builder) -> None:
    inputs = builder.inputs
    value = builder.choose(
        "quantization", None, spec_value=inputs.spec.model.quantization, spec_key="model.quantization"
    )
    if value is None and inputs.model.quantization is not None:
        builder.put("quantization", inputs.model.quantization.method, "derived from the checkpoint")


def _length(builder: Builder) -> None:
    inputs = builder.inputs
    value = builder.choose(
        "max_model_len", None, spec_value=inputs.spec.limits.max_model_len, spec_key="limits.max_model_len"
    )
    if isinstance(value, str) and value not in AUTO_LENGTHS:
        builder.derive("max_model_len", human_readable_integer(value), f"max_model_len {value}")
    if value is None:
        builder.put("max_model_len", *_own_length(builder))
        builder.put("max_model_len_is_auto", False, builder.default_source)
    elif value in AUTO_LENGTHS:
        builder.derive("max_model_len", inputs.model.context_tokens, "the model's context, cut to fit")
        builder.put("max_model_len_is_auto", True, "args")


YARN_KINDS = ("yarn", "deepseek_yarn", "deepseek_llama_scaling")
"""Scalings after which max_position_embeddings stands as it is; before 0.30 yarn's factor was applied to the original
length (vllm 0.29.0 and 0.30.0 config/model.py, _get_and_verify_max_len)."""


def _own_length(builder: Builder) -> tuple[int, str]:
    """The context that the model's configuration means; LongRoPE counts before its scaling since 0.11.1
    (vllm/config/model.py, _get_and_verify_max_len)."""
    model = builder.inputs.model
    original = model.extra.get("rope_original_max_position_embeddings")
    if model.extra.get("rope_type") == "longrope" and original and builder.is_version(">=0.11.1"):
        return int(original), "derived from original_max_position_embeddings (LongRoPE)"
    positions = model.extra.get("max_position_embeddings")
    if model.extra.get("rope_type") in YARN_KINDS and positions and builder.is_version(">=0.30"):
        return min(int(positions), model.context_tokens), "derived from max_position_embeddings (YaRN)"
    return model.context_tokens, "derived from the model's context"


def human_readable_integer(text: str) -> int | str:
    """``32k`` is 32,000, ``32K`` 32,768 (vllm/engine/arg_utils.py, human_readable_int)."""
    factors = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30}
    number, factor = text.strip(), 1
    if number and number[-1] in factors:
        number, factor = number[:-1], factors[number[-1]]
    try:
        return int(float(number) * factor)
    except ValueError:
        return text


def _adapters(builder: Builder) -> None:
    adapters = builder.inputs.spec.model.adapters
    builder.choose("enable_lora", False, spec_value=True if adapters else None, spec_key="model.adapters")
    if builder.value("enable_lora") is not True:
        return
    # vllm/config/lora.py: max_loras 1, max_lora_rank 16; lora_extra_vocab_size 256 until 0.11.
    builder.choose(
        "max_loras",
        1,
        spec_value=adapters.max_loras if adapters else None,
        spec_key="model.adapters.max_loras",
    )
    builder.choose(
        "max_lora_rank",
        16,
        spec_value=adapters.max_rank if adapters else None,
        spec_key="model.adapters.max_rank",
    )
    builder.choose("fully_sharded_loras", False)
    if builder.is_version("<0.12"):
        builder.choose("lora_extra_vocab_size", 256)


def _multimodal(builder: Builder) -> None:
    if not builder.inputs.model.is_multimodal:
        return
    builder.choose("limit_mm_per_prompt", None)
    if isinstance(builder.value("limit_mm_per_prompt"), str):
        limits = plain_mapping(builder.arguments.mapping("limit_mm_per_prompt"))
        builder.derive("limit_mm_per_prompt", limits, "the JSON given")
    if builder.is_version(">=0.14"):
        builder.choose("language_model_only", False)
    builder.choose("skip_mm_profiling", False)
    builder.choose("mm_encoder_tp_mode", "weights")
