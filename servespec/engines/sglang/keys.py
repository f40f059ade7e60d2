"""How SGLang's flags say the keys of the spec, version by version."""

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

ALGORITHMS = {"ngram": "NGRAM", "eagle": "EAGLE", "eagle3": "EAGLE3", "mtp": "NEXTN", "draft": "STANDALONE"}
"""SGLang's words for the spec's methods (sglang/srt/speculative/spec_info.py)."""
BUILT_IN = frozenset(
    {"EAGLE", "EAGLE3", "NEXTN", "STANDALONE", "NGRAM", "DFLASH", "DSPARK", "UNO", "FROZEN_KV_MTP"}
)
"""SpeculativeAlgorithm.from_string: versions whose flag has no choices know these, and names that plugins add, which
``args.speculative_algorithm`` takes."""
KV_DTYPES = {"fp8": "fp8_e4m3"}
"""``fp8`` is e4m3 as in vLLM; SGLang wants the format said."""


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
                    flags=("lora_paths",),
                    values=lambda d: _adapters(d, Paths(deployment=d, container=container)),
                ),
            ),
            advice="merge the adapters into the checkpoint",
        ),
        Key(
            path="model.adapters.max_rank",
            is_asked=lambda d: (
                d.spec.model.adapters is not None and d.spec.model.adapters.max_rank is not None
            ),
            ways=(
                flag(
                    "max_lora_rank",
                    lambda d: d.spec.model.adapters.max_rank if d.spec.model.adapters else None,
                ),
            ),
            advice="leave it out: the version takes the rank of the adapters that it loads",
            severity=Severity.warning,
        ),
    )


def _adapters(deployment: Deployment, paths: Paths) -> Mapping[str, SettingValue]:
    adapters = deployment.spec.model.adapters
    if adapters is None:
        return {}
    switch = catalogue_of(deployment).get("enable_lora") is not None
    modules = tuple(f"{name}={paths(where)}" for name, where in adapters.modules.items())
    return {
        **({"enable_lora": True} if switch else {}),
        "lora_paths": modules or None,
        "max_loras_per_batch": adapters.max_loras,
    }


LIMITS = (
    given("limits.max_model_len", "context_length"),
    Key(
        path="limits.max_input_tokens",
        is_asked=lambda d: d.spec.limits.max_input_tokens is not None,
        advice="SGLang limits prompt and completion together: use limits.max_model_len",
        severity=Severity.warning,
    ),
    given("limits.max_concurrent_requests", "max_running_requests"),
    given("limits.max_batched_tokens", "chunked_prefill_size"),
    Key(
        # The spec's share is of the whole device; SGLang's is of weights and KV cache alone.
        path="limits.gpu_memory_fraction",
        is_asked=lambda d: d.spec.limits.gpu_memory_fraction is not None,
        ways=(flag("mem_fraction_static", lambda d: d.settings.value("mem_fraction_static")),),
        advice="take another version",
    ),
)

PARALLEL = (
    degree("parallel.tensor", "tp_size"),
    degree("parallel.pipeline", "pp_size", "use parallel.tensor instead"),
    degree("parallel.data", "dp_size", LOAD_BALANCER),
    Key(
        path="parallel.expert",
        is_asked=lambda d: d.spec.parallel.expert,
        ways=(
            Way(
                flags=("enable_ep_moe", "ep_size"),
                values=lambda d: {"enable_ep_moe": True, "ep_size": d.spec.parallel.tensor},
                holds=lambda d: _is_in_good_standing(d, "enable_ep_moe"),
            ),
            flag("ep_size", lambda d: d.spec.parallel.tensor),
        ),
        advice="split the experts by parallel.tensor instead",
    ),
)


def _is_in_good_standing(deployment: Deployment, name: str) -> bool:
    found = catalogue_of(deployment).get(name)
    return found is not None and found.deprecated is None


KV_CACHE = (
    Key(
        path="kv_cache.dtype",
        is_asked=lambda d: d.spec.kv_cache.dtype != "auto",
        ways=(flag("kv_cache_dtype", lambda d: KV_DTYPES.get(d.spec.kv_cache.dtype, d.spec.kv_cache.dtype)),),
        advice="take dtype: auto",
    ),
    Key(
        # SGLang has the radix cache unless it is switched off.
        path="kv_cache.prefix_caching",
        is_asked=lambda d: d.spec.kv_cache.prefix_caching is False,
        ways=(flag("disable_radix_cache", lambda d: True),),
        advice=LEAVE_IT,
        severity=Severity.warning,
    ),
    given("kv_cache.block_size", "page_size", LEAVE_IT, Severity.warning),
    Key(
        # In gigabytes a rank (sglang/srt/mem_cache/memory_pool_host.py: size * 1e9), whole ones only.
        path="kv_cache.cpu_offload_gib",
        is_asked=lambda d: d.spec.kv_cache.cpu_offload_gib > 0,
        ways=(
            Way(
                flags=("enable_hierarchical_cache", "hicache_size"),
                values=lambda d: {
                    "enable_hierarchical_cache": True,
                    "hicache_size": max(1, round(d.spec.kv_cache.cpu_offload_gib * 2**30 / 1e9)),
                },
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
                flags=("max_total_tokens",),
                values=lambda d: {"max_total_tokens": d.settings.value("max_total_tokens")},
                holds=lambda d: d.settings.value("max_total_tokens") is not None,
            ),
        ),
        advice="give targets.sglang.args.max_total_tokens: the cache's size in tokens",
    ),
)


def speculative_keys(container: bool) -> tuple[Key, ...]:
    """The section ``speculative``."""
    return (
        Key(
            path="speculative",
            is_asked=lambda d: d.spec.speculative is not None,
            ways=(
                Way(
                    flags=("speculative_algorithm",),
                    values=lambda d: _speculative(d, Paths(deployment=d, container=container)),
                    holds=_has_algorithm,
                ),
            ),
            advice="take a version that can, or do without",
        ),
    )


def _algorithm(deployment: Deployment) -> str:
    method = deployment.spec.speculative.method if deployment.spec.speculative else ""
    return ALGORITHMS.get(method, method.upper())


def _has_algorithm(deployment: Deployment) -> bool:
    found = catalogue_of(deployment).get("speculative_algorithm")
    return found is not None and _algorithm(deployment) in (found.choices or BUILT_IN)


def _speculative(deployment: Deployment, paths: Paths) -> Mapping[str, SettingValue]:
    """A chain of drafts, as the spec means it: a step a token, one candidate a step.

    The tokens that are verified together are the drafts and the one before them
    (sglang/srt/arg_groups/speculative_hook.py).
    """
    speculative = deployment.spec.speculative
    if speculative is None:
        return {}
    algorithm = _algorithm(deployment)
    steps: dict[str, SettingValue] = (
        {}
        if algorithm == "NGRAM"
        else {"speculative_num_steps": speculative.tokens, "speculative_eagle_topk": 1}
    )
    return {
        "speculative_algorithm": algorithm,
        "speculative_draft_model_path": paths(speculative.model) if speculative.model else None,
        **steps,
        "speculative_num_draft_tokens": speculative.tokens + 1,
    }


@cache
def keys(*, container: bool) -> tuple[Key, ...]:
    """All keys, in the order in which their flags are written."""
    return (*model_keys(container), *LIMITS, *PARALLEL, *KV_CACHE, *speculative_keys(container))


def inexpressible(deployment: Deployment) -> tuple[Diagnostic, ...]:
    """What the spec asks for and this version has no flag for."""
    return explain(deployment, keys(container=False), "SGLang")
