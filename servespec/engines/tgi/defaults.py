"""Every effective setting of TGI: spec key, then flag or variable, then what that version does by itself.

Source: launcher/src/main.rs and server/text_generation_server/models/__init__.py of 1.0.0 to 3.3.7.
"""

from __future__ import annotations

from servespec.engines.base import Inputs, Resolved
from servespec.engines.tgi import policies
from servespec.engines.tgi.builder import Builder
from servespec.engines.tgi.prefill import prefill_tokens

# models/__init__.py: kernels that work with float16 alone.
HALF_ONLY = frozenset({"awq", "exl2", "gptq", "marlin"})
# models/__init__.py: what a checkpoint calls it, and the method that TGI takes for it.
SAME_METHOD = {"fbgemm_fp8": "fp8"}
NO_GRAPHS = frozenset({"bitsandbytes", "exl2"})
BITSANDBYTES = frozenset({"bitsandbytes", "bitsandbytes-nf4", "bitsandbytes-fp4"})
GRAPHS_WITH_4_BITS = "3.0.0"

# models/__init__.py: families whose default is bfloat16 (default_dtype=torch.bfloat16); float16 for the others.
BFLOAT16_FAMILIES = frozenset(
    {"gemma", "gemma2", "gemma3", "gemma3_text", "dbrx", "deepseek_v2", "deepseek_v3"}
)


def resolve(inputs: Inputs) -> Resolved:
    """Work out the settings that memory and launch depend on, in the launcher's order.

    ``limits.gpu_memory_fraction`` is ``cuda_memory_fraction``: TGI means the same by it.
    """
    builder = Builder(inputs)
    _model(builder)
    _placement(builder)
    _attention(builder)
    _limits(builder)
    _graphs(builder)
    return Resolved(settings=builder.settings(), diagnostics=())


def _model(builder: Builder) -> None:
    spec, model = builder.inputs.spec, builder.inputs.model
    own = (
        SAME_METHOD.get(model.quantization.method, model.quantization.method) if model.quantization else None
    )
    quantize = builder.choose(
        "quantize", spec_value=spec.model.quantization, spec_key="model.quantization", default=own
    )
    asked = spec.model.dtype if spec.model.dtype != "auto" else None
    half = quantize in HALF_ONLY or model.model_type not in BFLOAT16_FAMILIES
    builder.choose(
        "dtype", spec_value=asked, spec_key="model.dtype", default="float16" if half else "bfloat16"
    )
    builder.choose("trust_remote_code", default=spec.model.trust_remote_code)
    adapters = spec.model.adapters
    builder.choose(
        "lora_adapters",
        spec_value=",".join(adapters.modules) if adapters and adapters.modules else None,
        spec_key="model.adapters.modules",
    )


def _placement(builder: Builder) -> None:
    spec = builder.inputs.spec
    tensor = spec.parallel.tensor
    builder.choose(
        "num_shard", spec_value=tensor if tensor > 1 else None, spec_key="parallel.tensor", default=1
    )
    builder.choose(
        "cuda_memory_fraction",
        spec_value=spec.limits.gpu_memory_fraction,
        spec_key="limits.gpu_memory_fraction",
        default=1.0,
    )
    builder.choose(
        "tgi_wiggle_room", default=policies.by_version(policies.WIGGLE_ROOM, builder.inputs.version)
    )


def _attention(builder: Builder) -> None:
    inputs = builder.inputs
    builder.choose("attention", default=attention(builder))
    backend = str(builder.value("attention"))
    builder.put("block_size", policies.BLOCK_SIZES.get(backend, 16), f"derived from attention {backend}")
    caching = inputs.spec.kv_cache.prefix_caching
    can = backend != "paged" and not inputs.model.is_multimodal and builder.value("lora_adapters") is None
    builder.choose(
        "prefix_caching",
        spec_value=caching,
        spec_key="kv_cache.prefix_caching",
        default=can and builder.is_since(policies.ATTENTION_IS_CHOSEN),
    )
    given = inputs.spec.kv_cache.dtype if inputs.spec.kv_cache.dtype != "auto" else None
    names = {"fp8": "fp8_e4m3fn", "fp8_e4m3": "fp8_e4m3fn"}
    builder.choose(
        "kv_cache_dtype",
        spec_value=names.get(given, given) if given else None,
        spec_key="kv_cache.dtype",
        default=_kv_cache_dtype(builder, backend),
        source="derived from dtype",
    )


def _kv_cache_dtype(builder: Builder, backend: str) -> str:
    quantization = builder.inputs.model.quantization
    if (
        quantization is not None
        and quantization.method == "compressed-tensors"
        and (quantization.kv_cache_dtype or "").startswith("fp8")
        and backend == "flashinfer"
    ):
        return "fp8_e4m3fn"
    return str(builder.value("dtype"))


def attention(builder: Builder) -> str:
    """resolve_attention: flashinfer, unless the head size or the model forbids it."""
    inputs = builder.inputs
    if not builder.is_since(policies.ATTENTION_IS_CHOSEN):
        return (
            "flashdecoding"
            if builder.environment.get("FLASH_DECODING", "").lower() in ("1", "true")
            else "paged"
        )
    capability = inputs.gpu.compute_capability or (0, 0)
    old = inputs.gpu.kind == "cuda" and capability[0] < 8 and builder.is_since("2.4.0")
    fallback = "paged" if old else "flashdecoding"
    forced = policies.by_version(policies.NEEDS_FALLBACK, inputs.version)
    if inputs.model.head_dim not in policies.FLASHINFER_HEAD_DIMS or inputs.model.model_type in forced:
        return fallback
    return "flashinfer"


def positions(inputs: Inputs) -> int:
    """``max_position_embeddings`` of the configuration, rope scaling not included."""
    value = inputs.model.extra.get("max_position_embeddings")
    return value if isinstance(value, int) else inputs.model.context_tokens


def _limits(builder: Builder) -> None:
    spec = builder.inputs.spec
    if not builder.is_since(policies.LIMITS_FROM_MODEL):
        limit, total = policies.FIXED_INPUT, policies.FIXED_TOTAL
    else:
        total = min(positions(builder.inputs), policies.MODEL_LIMIT)
        limit = total - 1
    computed = builder.is_since(policies.COMPUTED_LIMITS)
    builder.choose(
        "max_total_tokens",
        spec_value=spec.limits.max_model_len,
        spec_key="limits.max_model_len",
        default=None if computed else total,
    )
    builder.choose(
        "max_input_tokens",
        spec_value=spec.limits.max_input_tokens,
        spec_key="limits.max_input_tokens",
        default=None if computed else _input_before_3(builder, limit),
    )
    builder.choose(
        "max_batch_prefill_tokens",
        spec_value=spec.limits.max_batched_tokens,
        spec_key="limits.max_batched_tokens",
        default=_prefill(builder),
    )
    builder.choose("max_batch_total_tokens")
    builder.choose("max_batch_size")
    builder.choose(
        "max_concurrent_requests",
        spec_value=spec.limits.max_concurrent_requests,
        spec_key="limits.max_concurrent_requests",
        default=128,
    )
    builder.choose("enable_prefill_logprobs", default=not builder.is_since(policies.PROMPT_LOGITS_UNTIL))


def _input_before_3(builder: Builder, default: int) -> int:
    """The launcher's default, or one less than a total that the spec gives: lowering writes that flag too."""
    total = builder.inputs.spec.limits.max_model_len
    return default if total is None else max(1, total - 1)


def _prefill(builder: Builder) -> int:
    inputs = builder.inputs
    if builder.is_since(policies.COMPUTED_LIMITS):
        fraction = builder.value("cuda_memory_fraction")
        return prefill_tokens(
            inputs.version,
            inputs.model,
            inputs.gpu,
            builder.integer("num_shard", 1),
            float(fraction) if isinstance(fraction, int | float) else 1.0,
            positions(inputs),
        )
    if not builder.is_since(policies.LIMITS_FROM_MODEL):
        return policies.FIXED_PREFILL
    batch = builder.inputs.target.args.get("max_batch_size")
    longest = builder.integer("max_input_tokens")
    return batch * longest if isinstance(batch, int) else longest + policies.PREFILL_EDGE


def _graphs(builder: Builder) -> None:
    quantize = builder.value("quantize")
    none = quantize in NO_GRAPHS or (quantize in BITSANDBYTES and not builder.is_since(GRAPHS_WITH_4_BITS))
    default = () if none or not builder.is_since(policies.CUDA_GRAPHS_SINCE) else policies.DEFAULT_CUDA_GRAPHS
    builder.choose("cuda_graphs", default=default)
