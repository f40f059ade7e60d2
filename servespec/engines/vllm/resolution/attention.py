"""The KV cache (vllm/config/cache.py) and what reads it."""

from __future__ import annotations

from servespec.engines.vllm.policies import GIB, GPU_MEMORY_UTILIZATION, by_version
from servespec.engines.vllm.resolution.builder import Builder
from servespec.models.facts import KVKind


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
    text = builder.environment.get("VLLM_CPU_KVCACHE_SPACE", "")
    if text.isdigit():
        # vllm/platforms/cpu.py, check_and_update_config: the variable wins over the flag.
        builder.put("kv_cache_memory_bytes", int(text) * GIB, "derived from VLLM_CPU_KVCACHE_SPACE", "env")


def _cache_dtype(builder: Builder) -> None:
    inputs = builder.inputs
    asked = inputs.spec.kv_cache.dtype
    value = builder.choose(
        "kv_cache_dtype", "auto", spec_value=None if asked == "auto" else asked, spec_key="kv_cache.dtype"
    )
    quantization = inputs.model.quantization
    # vllm/utils/torch_utils.py, resolve_kv_cache_dtype_string: `auto` follows the checkpoint's
    # kv_cache_quant_algo / kv_cache_scheme.
    if value == "auto" and quantization is not None and quantization.kv_cache_dtype is not None:
        builder.put(
            "kv_cache_dtype", quantization.kv_cache_dtype, "derived from the checkpoint's quantization"
        )


def _block_size(builder: Builder) -> None:
    inputs = builder.inputs
    # vllm/platforms/cuda.py: 16, MLA kernels of their own sizes; vllm/platforms/cpu.py: 128.
    default = 128 if inputs.gpu.is_cpu else 16
    builder.choose(
        "block_size", default, spec_value=inputs.spec.kv_cache.block_size, spec_key="kv_cache.block_size"
    )
    has_latent = any(layers.kind is KVKind.latent for layers in inputs.model.kv)
    if inputs.gpu.is_cpu and has_latent and builder.is_version(">=0.30"):
        # vllm/platforms/cpu.py: the reference MLA kernel is compiled for 16 alone.
        builder.derive("block_size", 16, "the CPU's MLA kernel")
