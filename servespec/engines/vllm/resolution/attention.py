"""The KV cache (vllm/config/cache.py) and what reads it."""

from __future__ import annotations

from servespec.engines.vllm.kv.turboquant import PRESETS, boundary_layers
from servespec.engines.vllm.policies import GIB, GPU_MEMORY_UTILIZATION, by_version
from servespec.engines.vllm.resolution.builder import Builder
from servespec.models.facts import KVKind

CPU_SPACE = "VLLM_CPU_KVCACHE_SPACE"


def settle(builder: Builder) -> None:
    """Memory fraction, cache type, block size, prefix caching."""
    inputs = builder.inputs
    builder.choose(
        "gpu_memory_utilization",
        by_version(GPU_MEMORY_UTILIZATION, inputs.version, 0.9),
        spec_value=inputs.spec.limits.gpu_memory_fraction,
        spec_key="limits.gpu_memory_fraction",
    )
    _space(builder)
    _cache_dtype(builder)
    _block_size(builder)
    builder.choose("num_gpu_blocks_override", None)
    builder.choose("disable_hybrid_kv_cache_manager", False)
    _prefix_caching(builder)


def _prefix_caching(builder: Builder) -> None:
    """On since V1 (0.8); for models with recurrent layers since 0.26, never for those without attention.

    With it the states of recurrent layers are cached too (vllm/model_executor/models/config.py
    MambaModelConfig): a state for every block (``all``) by Mamba layers until 0.27, else the last two (``align``).
    """
    inputs = builder.inputs
    kinds = {kept.kind for kept in inputs.model.kv}
    default = builder.is_version(">=0.8")
    if KVKind.recurrent in kinds:
        default = builder.is_version(">=0.26") and len(kinds) > 1
    builder.choose(
        "enable_prefix_caching",
        default,
        spec_value=inputs.spec.kv_cache.prefix_caching,
        spec_key="kv_cache.prefix_caching",
    )
    if KVKind.recurrent not in kinds:
        return
    mode = "none"
    if builder.value("enable_prefix_caching") is True:
        is_mamba = any(kept.state_type in ("mamba1", "mamba2") for kept in inputs.model.kv)
        mode = "all" if is_mamba and builder.is_version("<0.28") else "align"
    builder.choose("mamba_cache_mode", mode, source="derived from enable_prefix_caching")
    builder.choose("mamba_cache_dtype", "auto")
    builder.choose("mamba_ssm_cache_dtype", "auto")
    if (
        inputs.gpu.is_cpu
        and builder.value("mamba_ssm_cache_dtype") == "auto"
        and builder.is_version(">=0.29")
    ):
        # vllm/platforms/cpu.py, for processors with AVX-512 BF16, which is taken for granted here
        builder.put("mamba_ssm_cache_dtype", "float32", "derived from the CPU platform")


def _space(builder: Builder) -> None:
    """A fixed KV space: kv_cache_memory_bytes, on a CPU VLLM_CPU_KVCACHE_SPACE before it."""
    spec = builder.inputs.spec
    space_gib = spec.kv_cache.space_gib
    fixed = int(space_gib * GIB) if space_gib is not None else None
    builder.choose("kv_cache_memory_bytes", None, spec_value=fixed, spec_key="kv_cache.space_gib")
    value = builder.value("kv_cache_memory_bytes")
    if isinstance(value, str):
        from servespec.engines.vllm.resolution.model import human_readable_integer

        builder.derive("kv_cache_memory_bytes", human_readable_integer(value), f"{value}")
    if not builder.inputs.gpu.is_cpu:
        return
    text = builder.environment.get(CPU_SPACE, "")
    if text.isdigit():
        # vllm/platforms/cpu.py, check_and_update_config: the variable wins over the flag.
        key = (
            f"targets.vllm.env.{CPU_SPACE}" if CPU_SPACE in builder.inputs.target.env else f"env.{CPU_SPACE}"
        )
        builder.put("kv_cache_memory_bytes", int(text) * GIB, f"derived from {CPU_SPACE}", key)
    elif builder.value("kv_cache_memory_bytes") is None and builder.is_version("<0.12"):
        builder.put("kv_cache_memory_bytes", 4 * GIB, builder.default_source)  # platforms/cpu.py of 0.11.0


def _cache_dtype(builder: Builder) -> None:
    inputs = builder.inputs
    asked = inputs.spec.kv_cache.dtype
    value = builder.choose(
        "kv_cache_dtype", "auto", spec_value=None if asked == "auto" else asked, spec_key="kv_cache.dtype"
    )
    quantization = inputs.model.quantization
    if value == "auto" and quantization is not None and quantization.kv_cache_dtype is not None:
        # utils/torch_utils.py resolve_kv_cache_dtype_string (ModelOpt, since 0.14);
        # attention/layer.py kv_cache_scheme (compressed-tensors, since 0.15)
        since = ">=0.14" if quantization.method.startswith("modelopt") else ">=0.15"
        if builder.is_version(since):
            value = quantization.kv_cache_dtype
            builder.put("kv_cache_dtype", value, "derived from the checkpoint's quantization")
    _unquantized_layers(builder, str(value))
    if is_compressed(builder) or (inputs.model.extra.get("sparse_attention") and inputs.gpu.kind == "cuda"):
        _sparse_cache_dtype(builder, str(value))


def _unquantized_layers(builder: Builder, value: str) -> None:
    """Layers whose cache keeps the model's type; TurboQuant adds the outermost (vllm/engine/arg_utils.py)."""
    name = "kv_cache_dtype_skip_layers"
    if value not in PRESETS and name not in builder.arguments:
        return
    given = builder.choose(name, ())
    if value in PRESETS:
        model = builder.inputs.model
        is_hybrid = any(kept.kind is KVKind.recurrent for kept in model.kv)
        named = given if isinstance(given, tuple | list) else ()
        outermost = boundary_layers(model.layers, is_hybrid=is_hybrid)
        builder.derive(name, tuple(sorted({*map(str, named), *outermost})), "TurboQuant")


def is_compressed(builder: Builder) -> bool:
    """Whether several tokens share one entry of the cache (DeepSeek-V4)."""
    return any(kept.compress_ratio > 1 for kept in builder.inputs.model.kv)


def _sparse_cache_dtype(builder: Builder, value: str) -> None:
    """DeepSeek-V3.2 and its like: fp8 is FlashMLA's own layout, except where FlashInfer runs (10.x, since 0.19).

    Source: model_executor/models/config.py DeepseekV32ForCausalLM (0.11 took it for auto too), later
    layers/attention/mla_attention.py.
    """
    capability = builder.inputs.gpu.compute_capability or (9, 0)
    if is_compressed(builder):
        # models/deepseek_v4/attention.py: the packed layout is the only one of the NVIDIA kernels
        builder.derive("kv_cache_dtype", "fp8_ds_mla", "DeepSeek-V4's attention")
    elif value.startswith("fp8"):
        if capability < (10, 0) or builder.is_version("<0.19"):
            builder.derive("kv_cache_dtype", "fp8_ds_mla", "sparse MLA")
    elif value == "auto" and builder.is_version("<0.12"):
        builder.derive("kv_cache_dtype", "fp8_ds_mla", "sparse MLA")


def _block_size(builder: Builder) -> None:
    inputs = builder.inputs
    # vllm/platforms/cuda.py: 16, MLA kernels of their own sizes; vllm/platforms/cpu.py: 128.
    default = 128 if inputs.gpu.is_cpu else 16
    has_latent = any(layers.kind is KVKind.latent for layers in inputs.model.kv)
    if is_compressed(builder) or (has_latent and inputs.gpu.kind == "cuda"):
        default = _latent_block_size(builder)
    builder.choose(
        "block_size", default, spec_value=inputs.spec.kv_cache.block_size, spec_key="kv_cache.block_size"
    )
    amx = str(builder.arguments.get("attention_backend")).upper() == "AMX_MLA"
    if inputs.gpu.is_cpu and has_latent and not amx and builder.is_version(">=0.30"):
        # vllm/platforms/cpu.py: the reference MLA kernel is compiled for 16 alone. Processors with AMX run
        # another one that takes any block; whether this one has AMX is not known here.
        builder.derive("block_size", 16, "the CPU's MLA kernel")


def _latent_block_size(builder: Builder) -> int:
    """Tokens of a block that the MLA kernels take: sparse ones 64, FlashInfer (10.x) 32 (before 0.19: 64), else 16.

    Source: v1/attention/backends/mla/*.py get_supported_kernel_block_sizes; 16 on an H100 (h100-vllm-0.25.1).
    """
    if is_compressed(builder):
        return 256
    if builder.inputs.model.extra.get("sparse_attention"):
        return 64
    if (builder.inputs.gpu.compute_capability or (9, 0)) >= (10, 0):
        return 32 if builder.is_version(">=0.19") else 64
    return 16
