"""How vLLM's flags say the keys of the spec, version by version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from servespec.deployment import Deployment, SettingValue
from servespec.diagnostics import Diagnostic, Severity
from servespec.engines.common_keys import (
    DTYPE,
    LEAVE_IT,
    LOAD_BALANCER,
    QUANTIZATION,
    REVISION,
    TRUST_REMOTE_CODE,
    degree,
    given,
)
from servespec.engines.lowering import Key, Way, catalogue_of, explain, flag
from servespec.engines.paths import Paths

GIB = 2**30
LOOKUP_WORDS = 5
"""ngram's prompt_lookup_max where it has to be given: what later versions take (vllm 0.8.3 SpeculativeConfig)."""


def model_keys(container: bool) -> tuple[Key, ...]:
    """Keys of the section ``model``; folders have the names that a server has for them, in a ``container`` or not."""
    return (
        REVISION,
        DTYPE,
        QUANTIZATION,
        TRUST_REMOTE_CODE,
        Key(
            path="model.adapters",
            is_asked=lambda d: d.spec.model.adapters is not None,
            ways=(
                Way(
                    flags=("enable_lora",),
                    values=lambda d: _adapters(d, Paths(deployment=d, container=container)),
                ),
            ),
            advice="merge the adapters into the checkpoint",
        ),
    )


def _adapters(deployment: Deployment, paths: Paths) -> Mapping[str, SettingValue]:
    adapters = deployment.spec.model.adapters
    if adapters is None:
        return {}
    modules = tuple(f"{name}={paths(where)}" for name, where in adapters.modules.items())
    return {
        "enable_lora": True,
        "max_loras": adapters.max_loras,
        "max_lora_rank": adapters.max_rank,
        "lora_modules": modules or None,
    }


LIMITS = (
    given("limits.max_model_len", "max_model_len"),
    Key(
        path="limits.max_input_tokens",
        is_asked=lambda d: d.spec.limits.max_input_tokens is not None,
        advice="vLLM limits prompt and completion together: use limits.max_model_len",
        severity=Severity.warning,
    ),
    given("limits.max_concurrent_requests", "max_num_seqs"),
    given("limits.max_batched_tokens", "max_num_batched_tokens"),
    given("limits.gpu_memory_fraction", "gpu_memory_utilization"),
)

PARALLEL = (
    degree("parallel.tensor", "tensor_parallel_size"),
    degree("parallel.pipeline", "pipeline_parallel_size"),
    degree("parallel.data", "data_parallel_size", LOAD_BALANCER),
    Key(
        path="parallel.expert",
        is_asked=lambda d: d.spec.parallel.expert,
        ways=(flag("enable_expert_parallel", lambda d: True),),
        advice="split the experts by parallel.tensor instead",
    ),
)


def _offload_backend(deployment: Deployment) -> SettingValue:
    """``native`` where the version does not take it by itself (0.11.1 to 0.13 do nothing without one)."""
    found = catalogue_of(deployment).get("kv_offloading_backend")
    return "native" if found is not None and found.default != "native" else None


KV_CACHE = (
    Key(
        path="kv_cache.dtype",
        is_asked=lambda d: d.spec.kv_cache.dtype != "auto",
        ways=(flag("kv_cache_dtype", lambda d: d.spec.kv_cache.dtype),),
        advice="take dtype: auto",
    ),
    given("kv_cache.prefix_caching", "enable_prefix_caching", LEAVE_IT, Severity.warning),
    given("kv_cache.block_size", "block_size", LEAVE_IT, Severity.warning),
    Key(
        path="kv_cache.cpu_offload_gib",
        is_asked=lambda d: d.spec.kv_cache.cpu_offload_gib > 0,
        ways=(
            Way(
                # Summed over all tensor-parallel ranks (vllm/config/cache.py, kv_offloading_size).
                flags=("kv_offloading_size",),
                values=lambda d: {
                    "kv_offloading_size": d.spec.kv_cache.cpu_offload_gib * d.spec.parallel.tensor,
                    "kv_offloading_backend": _offload_backend(d),
                },
            ),
            Way(
                # Engine V1 takes the flag until 0.17 and swaps nothing.
                flags=("swap_space",),
                values=lambda d: {"swap_space": d.spec.kv_cache.cpu_offload_gib},
                holds=lambda d: str(d.settings.value("engine")).lower() == "v0",
            ),
        ),
        advice="do without, or take a version that can",
        severity=Severity.warning,
    ),
    Key(
        path="kv_cache.space_gib",
        is_asked=lambda d: d.spec.kv_cache.space_gib is not None,
        ways=(
            Way(
                # Whole GiB only (vllm/envs.py); on a CPU it goes before the flag.
                environment=lambda d: {"VLLM_CPU_KVCACHE_SPACE": f"{d.spec.kv_cache.space_gib or 0:.0f}"},
                holds=lambda d: d.gpu.is_cpu and float(d.spec.kv_cache.space_gib or 0).is_integer(),
            ),
            flag("kv_cache_memory_bytes", lambda d: int((d.spec.kv_cache.space_gib or 0) * GIB)),
        ),
        advice="give limits.gpu_memory_fraction instead; on a CPU a whole number of GiB",
    ),
)


def speculative_keys(container: bool) -> tuple[Key, ...]:
    """The section ``speculative``: one JSON flag since 0.8.2, several flags before."""
    return (
        Key(
            path="speculative",
            is_asked=lambda d: d.spec.speculative is not None,
            ways=(
                Way(
                    flags=("speculative_config",),
                    values=lambda d: {
                        "speculative_config": _speculative_config(d, Paths(deployment=d, container=container))
                    },
                ),
                Way(
                    flags=("speculative_model", "num_speculative_tokens"),
                    values=lambda d: _speculative_flags(d, Paths(deployment=d, container=container)),
                    holds=lambda d: (
                        d.spec.speculative is not None
                        and (d.spec.speculative.method == "ngram" or d.spec.speculative.model is not None)
                    ),
                ),
            ),
            advice="take a version that can, or do without",
        ),
    )


def _speculative_config(deployment: Deployment, paths: Paths) -> SettingValue:
    speculative = deployment.spec.speculative
    if speculative is None:
        return None
    config: dict[str, SettingValue] = {"num_speculative_tokens": speculative.tokens}
    # A draft model of the same kind is what vLLM finds by itself; its word for it came later.
    if speculative.method != "draft":
        config = {"method": speculative.method, **config}
    if speculative.model is not None:
        config["model"] = paths(speculative.model)
    return config


def _speculative_flags(deployment: Deployment, paths: Paths) -> Mapping[str, SettingValue]:
    speculative = deployment.spec.speculative
    if speculative is None:
        return {}
    if speculative.method == "ngram":
        return {
            "speculative_model": "[ngram]",
            "num_speculative_tokens": speculative.tokens,
            "ngram_prompt_lookup_max": LOOKUP_WORDS,
        }
    return {
        "speculative_model": paths(speculative.model or ""),
        "num_speculative_tokens": speculative.tokens,
    }


@cache
def keys(*, container: bool) -> tuple[Key, ...]:
    """All keys, in the order in which their flags are written."""
    return (*model_keys(container), *LIMITS, *PARALLEL, *KV_CACHE, *speculative_keys(container))


def inexpressible(deployment: Deployment) -> tuple[Diagnostic, ...]:
    """What the spec asks for and this version has no flag for."""
    return explain(deployment, keys(container=False), "vLLM")
