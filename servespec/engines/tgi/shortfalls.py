"""Why TGI would not start: the launcher refuses settings, the warm-up runs out of memory."""

from __future__ import annotations

from collections.abc import Iterator

from servespec.deployment import Deployment
from servespec.engines.flag_catalogue import load
from servespec.engines.tgi.policies import COMPUTED_LIMITS, LIMITS_FROM_MODEL, is_since
from servespec.engines.tgi.warmup import WarmupBatch
from servespec.memory.budget import Shortfall, ShortfallKind, Term

GIB = 2**30


def find(
    deployment: Deployment,
    weights: Term,
    free: int,
    left: int,
    tokens: int,
    batch: WarmupBatch,
    per_token: int,
    uncertainty_bytes: int,
) -> tuple[Shortfall, ...]:
    """All reasons, worst first.

    ``free`` is what the warm-up leaves of the device, or of the share that torch's allocator may take, its own
    blocks taken off; ``left`` is what of it becomes further blocks.
    """
    refused = tuple(_settings(deployment))
    return (
        *refused,
        *_weights(deployment, weights, uncertainty_bytes),
        *(_warmup(free, batch, uncertainty_bytes) or _little(left, batch, uncertainty_bytes)),
        *_total(deployment, tokens, per_token, uncertainty_bytes),
    )


def _refusal(message: str, key: str, fix: str) -> Shortfall:
    return Shortfall(
        kind=ShortfallKind.engine_refuses,
        message=message,
        needed_bytes=0,
        available_bytes=0,
        certain=True,
        key=key,
        fix=fix,
    )


FP8_BY_MARLIN = (8, 0)
"""layers/fp8.py get_fp8_linear: Marlin on 8.x, elsewhere torch decides, whose _scaled_mm begins at 8.9."""


def _is_fp8(deployment: Deployment) -> bool:
    quantization = deployment.model.quantization
    if quantization is None:
        return deployment.settings.value("quantize") == "fp8"
    return any(found.name == "fp8" for _, found in quantization.formats)


def _settings(deployment: Deployment) -> Iterator[Shortfall]:
    """What the launcher checks before anything is loaded (launcher/src/main.rs, main)."""
    settings = deployment.settings
    longest, total = settings.value("max_input_tokens"), settings.value("max_total_tokens")
    prefill, most = settings.integer("max_batch_prefill_tokens"), settings.value("max_batch_total_tokens")
    if isinstance(longest, int) and isinstance(total, int) and longest >= total:
        yield _refusal(
            f"max_input_tokens {longest:,} is not below max_total_tokens {total:,}",
            settings["max_input_tokens"].key or settings["max_total_tokens"].key or "limits.max_input_tokens",
            f"max_input_tokens ≤ {total - 1:,}",
        )
    before_3 = not is_since(deployment.version, "2.2.0")
    if before_3 and isinstance(longest, int) and longest > prefill:
        yield _refusal(
            f"max_batch_prefill_tokens {prefill:,} is below max_input_tokens {longest:,}",
            settings["max_batch_prefill_tokens"].key or "limits.max_batched_tokens",
            f"max_batch_prefill_tokens ≥ {longest:,}",
        )
    if isinstance(most, int) and isinstance(total, int) and total > most:
        yield _refusal(
            f"max_total_tokens {total:,} is above max_batch_total_tokens {most:,}",
            settings["max_batch_total_tokens"].key or "limits.max_model_len",
            f"max_total_tokens ≤ {most:,}, or leave max_batch_total_tokens out",
        )
    method = settings.value("quantize")
    known = load("tgi", deployment.version).get("quantize")
    if isinstance(method, str) and known is not None and known.choices and method not in known.choices:
        yield _refusal(
            f"TGI {deployment.version} has no quantization {method}: it takes packed weights for plain ones, and stops",
            settings["quantize"].key or "model.id",
            f"take one of {', '.join(map(str, known.choices))}, or a checkpoint of full precision",
        )
    capability = deployment.gpu.compute_capability
    if (
        deployment.gpu.kind == "cuda"
        and capability is not None
        and capability < FP8_BY_MARLIN
        and _is_fp8(deployment)
    ):
        yield _refusal(
            f"FP8 weights need compute capability 8.0, {deployment.gpu.name} has {capability[0]}.{capability[1]}: "
            "TGI leaves them to torch._scaled_mm there, which refuses",
            settings["quantize"].key or "hardware.gpu",
            "take a newer GPU or a 4-bit checkpoint (AWQ, GPTQ)",
        )
    yield from _fp8_cache(deployment)
    shards = settings.integer("num_shard")
    if (
        settings.value("quantize") == "exl2"
        and shards > 1
        and is_since(deployment.version, LIMITS_FROM_MODEL)
    ):
        yield _refusal(
            "exl2 cannot be sharded", settings["num_shard"].key or "parallel.tensor", "parallel.tensor: 1"
        )
    heads = deployment.model.attention_heads
    if heads % shards:
        yield _refusal(
            f"{heads} attention heads cannot be divided by {shards} shards",
            settings["num_shard"].key or "parallel.tensor",
            "a number of shards that divides the heads",
        )


def _fp8_cache(deployment: Deployment) -> Iterator[Shortfall]:
    """KVCache.__init__ takes FP8 with FlashInfer's kernels on CUDA, with paged ones on ROCm in e4m3 alone
    (layers/attention/kv_cache.py)."""
    settings = deployment.settings
    dtype, backend = str(settings.value("kv_cache_dtype")), settings.value("attention")
    if not dtype.startswith("fp8"):
        return
    is_rocm = deployment.gpu.kind == "rocm"
    if (is_rocm and dtype == "fp8_e5m2") or (not is_rocm and backend not in ("flashinfer", "paged")):
        yield _refusal(
            f"a {dtype} KV cache is refused with {backend} attention on {deployment.gpu.name}: “FP8 KV cache is currently only "
            "supported for flashinfer on CUDA and paged attention on ROCm”",
            settings["kv_cache_dtype"].key or "kv_cache.dtype",
            "kv_cache.dtype: auto" + (", or fp8_e4m3fn" if is_rocm else ", or ATTENTION=flashinfer"),
        )


def _weights(deployment: Deployment, weights: Term, uncertainty_bytes: int) -> Iterator[Shortfall]:
    gpu, share = deployment.gpu, deployment.settings.number("cuda_memory_fraction")
    available = min(gpu.total_bytes - gpu.used_bytes, round(share * gpu.total_bytes))
    over = weights.size_bytes - available
    if over > 0:
        yield Shortfall(
            kind=ShortfallKind.weights_exceed_device,
            message=f"the weights take {weights.size_bytes / GIB:.2f} GiB of each GPU, {available / GIB:.2f} GiB are "
            "free: the shard runs out of memory while loading",
            needed_bytes=weights.size_bytes,
            available_bytes=available,
            certain=over > uncertainty_bytes,
            key="parallel.tensor",
            fix="split over more GPUs (parallel.tensor), or take a quantized checkpoint",
        )


def _leaves(free: int) -> str:
    return f"lacks {-free / GIB:.2f} GiB" if free < 0 else f"leaves {free / GIB:.2f} GiB"


def _warmup(free: int, batch: WarmupBatch, uncertainty_bytes: int) -> tuple[Shortfall, ...]:
    if free >= uncertainty_bytes:
        return ()
    return (
        Shortfall(
            kind=ShortfallKind.warmup_exceeds_memory,
            message=f"the warm-up of {batch.prefill_tokens:,} prefill tokens {_leaves(free)}: “Not enough "
            f"memory to handle {batch.prefill_tokens} prefill tokens”",
            needed_bytes=max(0, -free),
            available_bytes=0,
            certain=-free > uncertainty_bytes,
            key="limits.max_batched_tokens",
            fix="lower max_batch_prefill_tokens (limits.max_batched_tokens), or split over more GPUs",
        ),
    )


def _little(left: int, batch: WarmupBatch, uncertainty_bytes: int) -> tuple[Shortfall, ...]:
    """The warm-up's own blocks are nearly all that there are: what else there is lies in the wiggle room."""
    if left >= uncertainty_bytes:
        return ()
    return (
        Shortfall(
            kind=ShortfallKind.warmup_exceeds_memory,
            message=f"the warm-up of {batch.prefill_tokens:,} prefill tokens {_leaves(left)} beyond its own "
            f"{batch.tokens:,} tokens of KV cache, the prediction is good to ± {uncertainty_bytes / GIB:.2f} GiB",
            needed_bytes=uncertainty_bytes,
            available_bytes=max(0, left),
            certain=False,
            key="limits.max_batched_tokens",
            fix="lower max_batch_prefill_tokens (limits.max_batched_tokens), or split over more GPUs",
        ),
    )


def _total(
    deployment: Deployment, tokens: int, per_token: int, uncertainty_bytes: int
) -> Iterator[Shortfall]:
    """The router refuses a total that no blocks are there for (backends/v3/src/lib.rs, NotEnoughMemory)."""
    total = deployment.settings.value("max_total_tokens")
    if not isinstance(total, int) or total <= tokens:
        return
    missing = (total - tokens) * per_token
    computed = is_since(deployment.version, COMPUTED_LIMITS)
    yield Shortfall(
        kind=ShortfallKind.context_exceeds_kv,
        message=f"one request of {total:,} tokens needs {total * per_token / GIB:.2f} GiB of KV cache, "
        f"{tokens * per_token / GIB:.2f} GiB are there for {tokens:,} tokens: “Not enough memory to handle {total} "
        "total tokens”",
        needed_bytes=total * per_token,
        available_bytes=tokens * per_token,
        certain=missing > uncertainty_bytes,
        key=deployment.settings["max_total_tokens"].key or "limits.max_model_len",
        fix=f"limits.max_model_len ≤ {tokens:,}" + (", or leave it out" if computed else ""),
    )
