"""How the flags of TGI's launcher say the keys of the spec, version by version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from servespec.deployment import Deployment, SettingValue
from servespec.diagnostics import Diagnostic, Severity
from servespec.engines.common_keys import LOAD_BALANCER, REVISION, TRUST_REMOTE_CODE, given
from servespec.engines.lowering import Key, Way, catalogue_of, explain, flag
from servespec.engines.paths import Paths

KV_DTYPES = {"fp8": "fp8_e4m3fn", "fp8_e4m3": "fp8_e4m3fn"}
"""TGI's words for the spec's types (launcher, KVCacheDtype)."""
CACHING_VARIABLES = ("PREFIX_CACHING", "USE_PREFIX_CACHING")
"""The second until 2.3, the first since 2.4 (launcher/src/main.rs, resolve_attention)."""


def model_keys(container: bool) -> tuple[Key, ...]:
    """Keys of the section ``model``; folders have the names that a server has for them, in a ``container`` or not."""
    return (
        REVISION,
        Key(
            path="model.dtype",
            is_asked=lambda d: d.spec.model.dtype != "auto",
            ways=(
                Way(
                    flags=("dtype",),
                    values=lambda d: {"dtype": d.spec.model.dtype},
                    holds=_takes_dtype,
                ),
            ),
            advice="TGI runs float16 or bfloat16, and decides itself when model.quantization is given: take dtype: auto",
        ),
        Key(
            path="model.quantization",
            is_asked=lambda d: d.spec.model.quantization is not None,
            ways=(
                Way(
                    flags=("quantize",),
                    values=lambda d: {"quantize": d.spec.model.quantization},
                    holds=lambda d: _is_choice(d, "quantize", d.spec.model.quantization),
                ),
            ),
            advice="take one of the methods of `servespec flags tgi`, or a checkpoint that is quantized",
        ),
        TRUST_REMOTE_CODE,
        Key(
            path="model.adapters",
            is_asked=lambda d: d.spec.model.adapters is not None and bool(d.spec.model.adapters.modules),
            ways=(flag("lora_adapters", lambda d: _adapters(d, Paths(deployment=d, container=container))),),
            advice="merge the adapters into the checkpoint",
        ),
        Key(
            path="model.adapters.max_loras",
            is_asked=lambda d: (
                d.spec.model.adapters is not None and d.spec.model.adapters.max_loras is not None
            ),
            advice="leave it out: TGI keeps every adapter that it loads",
            severity=Severity.warning,
        ),
        Key(
            path="model.adapters.max_rank",
            is_asked=lambda d: (
                d.spec.model.adapters is not None and d.spec.model.adapters.max_rank is not None
            ),
            advice="leave it out: TGI takes the rank of each adapter",
            severity=Severity.warning,
        ),
    )


def _takes_dtype(deployment: Deployment) -> bool:
    return deployment.spec.model.quantization is None and _is_choice(
        deployment, "dtype", deployment.spec.model.dtype
    )


def _is_choice(deployment: Deployment, name: str, value: SettingValue) -> bool:
    found = catalogue_of(deployment).get(name)
    return found is not None and (found.choices is None or value in found.choices)


def _adapters(deployment: Deployment, paths: Paths) -> SettingValue:
    adapters = deployment.spec.model.adapters
    return (
        ",".join(f"{name}={paths(where)}" for name, where in adapters.modules.items()) if adapters else None
    )


def _lengths(deployment: Deployment) -> Mapping[str, SettingValue]:
    """Total tokens, and the prompt's share where the version would take one that is no part of it.

    Until 3.0 the launcher's default for the prompt does not look at the total that is given, and it refuses
    a prompt that is not shorter (launcher/src/main.rs).
    """
    limits = deployment.spec.limits
    catalogue = catalogue_of(deployment)
    if limits.max_model_len is None:
        return {}
    values: dict[str, SettingValue] = {"max_total_tokens": limits.max_model_len}
    if limits.max_input_tokens is None and limits.max_model_len > 1 and _is_before_3(deployment):
        name = "max_input_tokens" if catalogue.get("max_input_tokens") else "max_input_length"
        values[name] = limits.max_model_len - 1
    return values


def _is_before_3(deployment: Deployment) -> bool:
    return catalogue_of(deployment).get("enable_prefill_logprobs") is None


LIMITS = (
    Key(
        path="limits.max_model_len",
        is_asked=lambda d: d.spec.limits.max_model_len is not None,
        ways=(Way(flags=("max_total_tokens",), values=_lengths),),
        advice="take another version",
    ),
    Key(
        path="limits.max_input_tokens",
        is_asked=lambda d: d.spec.limits.max_input_tokens is not None,
        ways=(
            flag("max_input_tokens", lambda d: d.spec.limits.max_input_tokens),
            flag("max_input_length", lambda d: d.spec.limits.max_input_tokens),
        ),
        advice="take another version",
    ),
    given("limits.max_concurrent_requests", "max_concurrent_requests"),
    given("limits.max_batched_tokens", "max_batch_prefill_tokens"),
    given("limits.gpu_memory_fraction", "cuda_memory_fraction"),
)

PARALLEL = (
    Key(
        path="parallel.pipeline",
        is_asked=lambda d: d.spec.parallel.pipeline > 1,
        advice="TGI shards by tensor parallelism alone: use parallel.tensor",
    ),
    Key(
        path="parallel.data",
        is_asked=lambda d: d.spec.parallel.data > 1,
        advice=LOAD_BALANCER,
    ),
    Key(
        path="parallel.expert",
        is_asked=lambda d: d.spec.parallel.expert,
        advice="TGI shards by tensor parallelism alone: use parallel.tensor",
    ),
    Key(
        path="hardware.nodes",
        is_asked=lambda d: d.spec.hardware.nodes > 1,
        advice="TGI runs on one node: take GPUs with more memory, or vLLM or SGLang",
    ),
)


def _caching_variable(deployment: Deployment) -> str | None:
    read = catalogue_of(deployment).environment
    return next((name for name in CACHING_VARIABLES if name in read), None)


KV_CACHE = (
    Key(
        path="kv_cache.dtype",
        is_asked=lambda d: d.spec.kv_cache.dtype != "auto",
        ways=(
            Way(
                flags=("kv_cache_dtype",),
                values=lambda d: {"kv_cache_dtype": _kv_dtype(d)},
                holds=lambda d: _is_choice(d, "kv_cache_dtype", _kv_dtype(d)),
            ),
        ),
        advice="take dtype: auto",
    ),
    Key(
        path="kv_cache.prefix_caching",
        is_asked=lambda d: d.spec.kv_cache.prefix_caching is not None,
        ways=(
            Way(
                environment=lambda d: {
                    _caching_variable(d) or "": str(d.spec.kv_cache.prefix_caching).lower()
                },
                holds=lambda d: _caching_variable(d) is not None,
            ),
        ),
        advice="leave it out: versions before 2.3 cache no prefixes",
        severity=Severity.warning,
    ),
    Key(
        path="kv_cache.block_size",
        is_asked=lambda d: d.spec.kv_cache.block_size is not None,
        advice="leave it out: TGI takes the block size of its attention kernel",
        severity=Severity.warning,
    ),
    Key(
        path="kv_cache.cpu_offload_gib",
        is_asked=lambda d: d.spec.kv_cache.cpu_offload_gib > 0,
        advice="leave it out: TGI keeps its cache on the GPU",
        severity=Severity.warning,
    ),
    Key(
        path="kv_cache.space_gib",
        is_asked=lambda d: d.spec.kv_cache.space_gib is not None,
        ways=(
            Way(
                flags=("max_batch_total_tokens",),
                values=lambda d: {"max_batch_total_tokens": d.settings.value("max_batch_total_tokens")},
                holds=lambda d: d.settings.value("max_batch_total_tokens") is not None,
            ),
        ),
        advice="give targets.tgi.args.max_batch_total_tokens: the cache's size in tokens",
        severity=Severity.warning,
    ),
)


def _kv_dtype(deployment: Deployment) -> str:
    asked = deployment.spec.kv_cache.dtype
    return KV_DTYPES.get(asked, asked)


OTHERS = (
    Key(
        path="speculative",
        is_asked=lambda d: d.spec.speculative is not None,
        ways=(
            Way(
                flags=("speculate",),
                values=lambda d: {"speculate": d.spec.speculative.tokens if d.spec.speculative else None},
                holds=lambda d: (
                    d.spec.speculative is not None and d.spec.speculative.method in ("ngram", "medusa")
                ),
            ),
        ),
        advice="TGI speculates by ngram, or by Medusa heads that the model itself brings",
    ),
    Key(
        path="server.served_model_name",
        is_asked=lambda d: d.spec.server.served_model_name is not None,
        advice="leave it out: TGI answers to any name and gives the model's id as its own",
        severity=Severity.warning,
    ),
    Key(
        path="server.api_key_env",
        is_asked=lambda d: d.spec.server.api_key_env is not None,
        ways=(Way(flags=("api_key",)),),
        advice="let a proxy in front ask for the key",
    ),
)


@cache
def keys(*, container: bool) -> tuple[Key, ...]:
    """All keys, in the order in which their flags are written."""
    return (*model_keys(container), *LIMITS, *PARALLEL, *KV_CACHE, *OTHERS)


def inexpressible(deployment: Deployment) -> tuple[Diagnostic, ...]:
    """What the spec asks for and this version has no flag for."""
    return explain(deployment, keys(container=False), "TGI")
