"""Lengths, batches and sequences that vLLM refuses together."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV220",
    name="vllm-batched-tokens-below-context",
    severity=Severity.error,
    engine="vllm",
    summary="Without chunked prefill a batch must hold one whole request: max_num_batched_tokens >= "
    "max_model_len.",
    explanation="With chunked prefill turned off a prompt is computed in one forward pass, so a batch "
    "smaller than the longest request could never run it, and vLLM refuses to start.",
    error_text="max_num_batched_tokens (A) is smaller than max_model_len (B). This effectively limits the "
    "maximum sequence length to max_num_batched_tokens and makes vLLM reject longer sequences.",
    fix="Raise limits.max_batched_tokens to limits.max_model_len, lower max_model_len, or leave chunked "
    "prefill on.",
    source="vLLM 0.32.0 vllm/config/scheduler.py verify_max_model_len",
    triggers=(
        "args.enable_chunked_prefill",
        "args.no_enable_chunked_prefill",
        "limits.max_batched_tokens",
        "args.max_num_batched_tokens",
    ),
)
def batched_tokens_below_context(subject: Subject) -> Iterable[Finding]:
    """max_num_batched_tokens < max_model_len and chunked prefill is off."""
    if subject.value("enable_chunked_prefill") is not False:
        return
    batched, context = subject.integer("max_num_batched_tokens"), subject.integer("max_model_len")
    if batched is None or context is None or batched >= context:
        return
    key = subject.key("max_num_batched_tokens") or subject.key("enable_chunked_prefill")
    yield Finding(
        message=f"max_num_batched_tokens is {batched:,} and max_model_len {context:,} tokens; without chunked "
        f"prefill vLLM refuses a batch that cannot hold one whole request: at least {context:,}, or leave "
        "enable_chunked_prefill on",
        key=key,
        fix=Fix(
            f"raise the batch to {context:,} tokens",
            changes=(Change("limits.max_batched_tokens", context, safe=False),)
            if key == "limits.max_batched_tokens"
            else (),
        ),
    )


@rule(
    code="SV221",
    name="vllm-batched-tokens-below-sequences",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.5",
    summary="Every scheduled sequence takes at least one token: max_num_batched_tokens >= max_num_seqs.",
    explanation="A decode step computes one token of each running sequence. vLLM refuses to start when the "
    "batch could not hold one token for each of max_num_seqs sequences.",
    error_text="max_num_batched_tokens (A) must be greater than or equal to max_num_seqs (B).",
    fix="Lower limits.max_concurrent_requests or raise limits.max_batched_tokens.",
    source="vLLM 0.32.0 vllm/config/scheduler.py verify_max_model_len",
    triggers=(
        "limits.max_batched_tokens",
        "limits.max_concurrent_requests",
        "args.max_num_batched_tokens",
        "args.max_num_seqs",
    ),
)
def batched_tokens_below_sequences(subject: Subject) -> Iterable[Finding]:
    """max_num_batched_tokens < max_num_seqs."""
    batched, sequences = subject.integer("max_num_batched_tokens"), subject.integer("max_num_seqs")
    if batched is None or sequences is None or batched >= sequences:
        return
    key = subject.key("max_num_batched_tokens") or subject.key("max_num_seqs")
    yield Finding(
        message=f"max_num_batched_tokens is {batched:,} but {sequences:,} sequences are scheduled together, each "
        f"with at least one token: raise it to {sequences:,} or schedule at most {batched:,} sequences",
        key=key,
        fix=Fix(
            f"schedule at most {batched:,} sequences",
            changes=(Change("limits.max_concurrent_requests", batched, safe=False),)
            if subject.key("max_num_seqs") == "limits.max_concurrent_requests"
            else (),
        ),
    )


@rule(
    code="SV222",
    name="vllm-context-above-model",
    severity=Severity.error,
    engine="vllm",
    summary="max_model_len above what the model's configuration allows is refused.",
    explanation="vLLM derives the longest context from config.json (max_position_embeddings times the rope "
    "scaling factor, or the equivalent key of the architecture) and refuses a longer max_model_len unless "
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 is set. Beyond that length positions were never trained; with "
    "absolute positions the kernels read out of bounds.",
    error_text="User-specified max_model_len (A) is greater than the derived max_model_len "
    "(max_position_embeddings=B or model_max_length=None in model's config.json). To allow overriding this "
    "maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.",
    fix="Lower limits.max_model_len, or give rope scaling in hf_overrides where the model supports it.",
    source="vLLM 0.32.0 vllm/config/model.py _get_and_verify_max_len",
    triggers=("limits.max_model_len", "args.max_model_len"),
)
def context_above_model(subject: Subject) -> Iterable[Finding]:
    """max_model_len > the context of config.json, without the override."""
    context, allowed = subject.integer("max_model_len"), subject.model.context_tokens
    if context is None or context <= allowed or allowed <= 0 or not subject.is_given("max_model_len"):
        return
    if subject.environment_is_on("VLLM_ALLOW_LONG_MAX_MODEL_LEN"):
        return
    if subject.is_given("hf_overrides", "rope_scaling", "rope_theta"):
        return
    key = subject.key("max_model_len")
    yield Finding(
        message=f"max_model_len is {context:,} tokens, the model's configuration allows {allowed:,}: vLLM refuses "
        f"to start; set at most {allowed:,}",
        key=key,
        fix=Fix(
            f"set {allowed:,}, the longest the model allows",
            changes=(Change(key, allowed, safe=False),) if key else (),
        ),
    )


@rule(
    code="SV223",
    name="vllm-prefill-threshold-above-context",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.9",
    summary="long_prefill_token_threshold may not be above max_model_len.",
    explanation="The threshold says from which length a prompt counts as long in chunked prefill. vLLM "
    "refuses one that no request could reach.",
    error_text="long_prefill_token_threshold (A) cannot be greater than the max_model_len (B).",
    fix="Lower long_prefill_token_threshold or leave it out.",
    source="vLLM 0.32.0 vllm/config/scheduler.py verify_max_model_len",
    triggers=("args.long_prefill_token_threshold",),
)
def prefill_threshold_above_context(subject: Subject) -> Iterable[Finding]:
    """long_prefill_token_threshold > max_model_len."""
    threshold, context = subject.integer("long_prefill_token_threshold"), subject.integer("max_model_len")
    if threshold is not None and context is not None and threshold > context:
        yield Finding(
            message=f"long_prefill_token_threshold is {threshold:,}, above max_model_len {context:,}: vLLM refuses; "
            f"set at most {context:,}",
            key=subject.key("long_prefill_token_threshold"),
        )


@rule(
    code="SV224",
    name="vllm-active-above-sequences",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.30",
    summary="max_num_active_seqs may not be above max_num_seqs.",
    explanation="max_num_active_seqs narrows how many of the max_num_seqs slots run at once; a larger "
    "number has no meaning and is refused.",
    error_text="max_num_active_seqs (A) cannot be greater than max_num_seqs (B).",
    fix="Lower max_num_active_seqs or raise limits.max_concurrent_requests.",
    source="vLLM 0.32.0 vllm/config/scheduler.py verify_max_model_len",
    triggers=("args.max_num_active_seqs",),
)
def active_above_sequences(subject: Subject) -> Iterable[Finding]:
    """max_num_active_seqs > max_num_seqs."""
    active, sequences = subject.integer("max_num_active_seqs"), subject.integer("max_num_seqs")
    if active is not None and sequences is not None and active > sequences:
        yield Finding(
            message=f"max_num_active_seqs is {active:,}, above max_num_seqs {sequences:,}: vLLM refuses; set at most "
            f"{sequences:,}",
            key=subject.key("max_num_active_seqs"),
        )


@rule(
    code="SV225",
    name="vllm-batch-never-filled",
    severity=Severity.warning,
    engine="vllm",
    versions=">=0.9",
    summary="max_num_batched_tokens above max_num_seqs times max_model_len can never be filled.",
    explanation="All sequences together hold at most max_num_seqs times max_model_len tokens. A larger "
    "batch only makes the profile run, and so the activation memory, larger than it need be; vLLM warns.",
    error_text="max_num_batched_tokens (A) exceeds max_num_seqs * max_model_len (B). This may lead to "
    "unexpected behavior.",
    fix="Lower limits.max_batched_tokens.",
    source="vLLM 0.32.0 vllm/config/scheduler.py verify_max_model_len",
    triggers=("limits.max_batched_tokens", "args.max_num_batched_tokens"),
)
def batch_never_filled(subject: Subject) -> Iterable[Finding]:
    """max_num_batched_tokens > max_num_seqs * max_model_len."""
    batched, sequences = subject.integer("max_num_batched_tokens"), subject.integer("max_num_seqs")
    context = subject.integer("max_model_len")
    if batched is None or sequences is None or context is None or batched <= sequences * context:
        return
    if not subject.is_given("max_num_batched_tokens"):
        return
    yield Finding(
        message=f"max_num_batched_tokens is {batched:,}, but {sequences:,} sequences of {context:,} tokens make "
        f"{sequences * context:,} at most: the rest of the batch only costs activation memory",
        key=subject.key("max_num_batched_tokens"),
    )


@rule(
    code="SV227",
    name="vllm-mamba-block-size-without-prefix-caching",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.17",
    summary="mamba_block_size only means something with prefix caching.",
    explanation="The block size of recurrent states says where states are kept for reuse; without prefix "
    "caching there is no reuse and vLLM refuses the flag.",
    error_text="--mamba-block-size can only be set with --enable-prefix-caching",
    fix="Turn kv_cache.prefix_caching on or leave mamba_block_size out.",
    source="vLLM 0.32.0 vllm/config/vllm.py validate_mamba_block_size",
    triggers=("args.mamba_block_size",),
)
def mamba_block_size_without_prefix_caching(subject: Subject) -> Iterable[Finding]:
    """mamba_block_size is given while prefix caching is off."""
    size = subject.integer("mamba_block_size")
    if size is None or size == subject.integer("max_model_len"):
        return
    if subject.value("enable_prefix_caching") is False:
        yield Finding(
            message="mamba_block_size is given while prefix caching is off, which vLLM refuses: turn "
            "kv_cache.prefix_caching on or leave mamba_block_size out",
            key=subject.key("mamba_block_size"),
        )
