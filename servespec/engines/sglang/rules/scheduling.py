"""Lengths, caches and schedules that SGLang refuses together."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.sglang.rules.view import algorithm
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


def _remove(subject: Subject, name: str) -> Fix | None:
    key = subject.key(name)
    return Fix(f"remove {name}", changes=(Change(key, remove=True, safe=False),)) if key else None


@rule(
    code="SV280",
    name="sglang-context-above-model",
    severity=Severity.error,
    engine="sglang",
    summary="A context length above what the model's configuration allows is refused.",
    explanation="SGLang derives the longest context from config.json and refuses a longer one unless "
    "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1 is set. Beyond it answers are nonsense or kernels read "
    "out of bounds.",
    error_text="User-specified context_length (A) is greater than the derived context_length (B). This may "
    "lead to incorrect model outputs or CUDA errors. To allow overriding this maximum, set the env var "
    "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1",
    fix="Lower limits.max_model_len.",
    source="SGLang 0.4.1 to 0.5.23 srt/configs/model_config.py _derive_context_length",
    triggers=("limits.max_model_len", "args.context_length"),
)
def context_above_model(subject: Subject) -> Iterable[Finding]:
    """context_length > the context of config.json, without the override."""
    context, allowed = subject.integer("context_length"), subject.model.context_tokens
    if context is None or allowed <= 0 or context <= allowed or not subject.is_given("context_length"):
        return
    if subject.environment_is_on("SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN"):
        return
    if subject.is_given("json_model_override_args"):
        return
    key = subject.key("context_length")
    yield Finding(
        message=f"the context is {context:,} tokens, the model's configuration allows {allowed:,}: SGLang refuses to start",
        key=key,
        fix=Fix(f"set {allowed:,}", changes=(Change(key, allowed, safe=False),) if key else ()),
    )


@rule(
    code="SV281",
    name="sglang-chunk-not-of-pages",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.9",
    summary="chunked_prefill_size must be a multiple of page_size.",
    explanation="A chunk of a prompt fills whole pages of the KV cache.",
    error_text="chunked_prefill_size must be divisible by page_size",
    fix="Round the chunk to a multiple of the page.",
    source="SGLang 0.5.2 to 0.5.23 check_server_args",
    triggers=(
        "limits.max_batched_tokens",
        "args.chunked_prefill_size",
        "args.page_size",
        "kv_cache.block_size",
    ),
)
def chunk_not_of_pages(subject: Subject) -> Iterable[Finding]:
    """chunked_prefill_size % page_size != 0."""
    chunk, page = subject.integer("chunked_prefill_size"), subject.integer("page_size")
    if chunk is None or page is None or chunk <= 0 or page <= 1 or chunk % page == 0:
        return
    if subject.text("disaggregation_mode") == "decode":
        return
    key = subject.key("chunked_prefill_size") or subject.key("page_size")
    whole = max(page, chunk // page * page)
    yield Finding(
        message=f"chunked_prefill_size {chunk:,} is no multiple of page_size {page}: take {whole:,}",
        key=key,
        fix=Fix(
            f"take {whole:,}",
            changes=(Change(key, whole, safe=False),)
            if key and key == subject.key("chunked_prefill_size")
            else (),
        ),
    )


@rule(
    code="SV283",
    name="sglang-compile-without-padding",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.13",
    summary="enable_torch_compile excludes disable_cuda_graph_padding.",
    explanation="Without padding every batch size would be compiled on its own, for many minutes.",
    error_text="--disable-cuda-graph-padding is incompatible with --enable-torch-compile.",
    fix="Remove one of the two.",
    source="SGLang 0.5.13, 0.5.23 check_server_args",
    triggers=("args.disable_cuda_graph_padding",),
)
def compile_without_padding(subject: Subject) -> Iterable[Finding]:
    """enable_torch_compile with disable_cuda_graph_padding."""
    if subject.flag("enable_torch_compile") and subject.flag("disable_cuda_graph_padding"):
        yield Finding(
            message="enable_torch_compile and disable_cuda_graph_padding are refused together",
            key=subject.key("disable_cuda_graph_padding"),
            fix=_remove(subject, "disable_cuda_graph_padding"),
        )


@rule(
    code="SV284",
    name="sglang-priority-policy",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.4",
    summary="Priority scheduling needs the policy fcfs or lof.",
    explanation="Other policies order the queue by cache hits and would undo the priorities.",
    error_text="To use priority scheduling, schedule_policy must be 'fcfs' or 'lof'. 'A' is not supported.",
    fix="Set schedule_policy: fcfs.",
    source="SGLang 0.5.4 to 0.5.23 check_server_args",
    triggers=("args.enable_priority_scheduling",),
)
def priority_policy(subject: Subject) -> Iterable[Finding]:
    """enable_priority_scheduling with another policy."""
    policy = subject.text("schedule_policy")
    if subject.flag("enable_priority_scheduling") and policy not in (None, "fcfs", "lof"):
        key = subject.key("schedule_policy")
        yield Finding(
            message=f"priority scheduling needs schedule_policy fcfs or lof, found {policy}",
            key=key,
            fix=Fix("use fcfs", changes=(Change(key, "fcfs", safe=False),) if key else ()),
        )


@rule(
    code="SV285",
    name="sglang-retraction-by-priority",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.16",
    summary="retraction_policy priority needs enable_priority_scheduling.",
    explanation="Without priorities there is nothing to retract by.",
    error_text="--retraction-policy priority requires --enable-priority-scheduling",
    fix="Add enable_priority_scheduling: true.",
    source="SGLang 0.5.17, 0.5.23 check_server_args",
    triggers=("args.retraction_policy",),
)
def retraction_by_priority(subject: Subject) -> Iterable[Finding]:
    """retraction_policy priority without priority scheduling."""
    if subject.text("retraction_policy") == "priority" and not subject.flag("enable_priority_scheduling"):
        yield Finding(
            message="retraction_policy priority needs enable_priority_scheduling",
            key=subject.key("retraction_policy"),
        )


@rule(
    code="SV288",
    name="sglang-hierarchical-cache-without-radix",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.9",
    summary="enable_hierarchical_cache excludes disable_radix_cache.",
    explanation="The hierarchical cache is a radix cache with host memory below it.",
    error_text="The arguments enable-hierarchical-cache and disable-radix-cache are mutually exclusive and "
    "cannot be used at the same time. Please use only one of them.",
    fix="Remove one of the two.",
    source="SGLang 0.5.2 to 0.5.23 srt/arg_groups/kv_cache_hook.py",
    triggers=("args.enable_hierarchical_cache", "kv_cache.cpu_offload_gib"),
)
def hierarchical_cache_without_radix(subject: Subject) -> Iterable[Finding]:
    """enable_hierarchical_cache with the radix cache off."""
    asked = subject.flag("enable_hierarchical_cache") or subject.spec.kv_cache.cpu_offload_gib > 0
    off = subject.flag("disable_radix_cache") or subject.spec.kv_cache.prefix_caching is False
    if asked and off:
        yield Finding(
            message="the hierarchical cache needs prefix caching, which is turned off",
            key=subject.key("disable_radix_cache") or "kv_cache.prefix_caching",
        )


@rule(
    code="SV291",
    name="sglang-mixed-chunk-with-speculation",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.9,<0.5.20",
    summary="enable_mixed_chunk does not go with speculative decoding.",
    explanation="A mixed step decodes one token for each running request, where speculation verifies "
    "several.",
    error_text="enable_mixed_chunk is not supported with speculative_algorithm=A",
    fix="Remove enable_mixed_chunk.",
    source="SGLang 0.5.2 to 0.5.17 check_server_args",
    triggers=("args.enable_mixed_chunk",),
)
def mixed_chunk_with_speculation(subject: Subject) -> Iterable[Finding]:
    """enable_mixed_chunk with speculation."""
    found = algorithm(subject)
    if subject.flag("enable_mixed_chunk") and found is not None:
        yield Finding(
            message=f"enable_mixed_chunk and speculation by {found} are refused together",
            key=subject.key("enable_mixed_chunk"),
            fix=_remove(subject, "enable_mixed_chunk"),
        )


@rule(
    code="SV292",
    name="sglang-standalone-draft-with-attention-groups",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.2",
    summary="A draft model does not go with data-parallel attention.",
    explanation="Speculation by a standalone draft model has no support for attention groups.",
    error_text="Currently standalone speculative decoding does not support dp attention.",
    fix="Leave data-parallel attention out, or use EAGLE.",
    source="SGLang 0.5.2 to 0.5.23 srt/arg_groups/speculative_hook.py _handle_eagle_family",
    triggers=("args.enable_dp_attention", "args.attn_dp_size"),
)
def standalone_draft_with_attention_groups(subject: Subject) -> Iterable[Finding]:
    """STANDALONE with attention DP."""
    groups = (subject.integer("attn_dp_size") or 1) > 1 or subject.flag("enable_dp_attention")
    if groups and algorithm(subject) == "STANDALONE":
        yield Finding(
            message="speculation by a draft model and data-parallel attention are refused together",
            key=subject.key("enable_dp_attention") or subject.key("attn_dp_size"),
        )


@rule(
    code="SV293",
    name="sglang-multiplexing-limits",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.4",
    summary="enable_pdmux needs one pipeline stage, no chunked prefill and no overlap schedule.",
    explanation="Multiplexing prefill and decode on one GPU replaces these mechanisms.",
    error_text="PD-Multiplexing is not compatible with chunked prefill.",
    fix="Set chunked_prefill_size: -1 and disable_overlap_schedule: true, or leave enable_pdmux out.",
    source="SGLang 0.5.4 to 0.5.23 check_server_args",
    triggers=("args.enable_pdmux",),
)
def multiplexing_limits(subject: Subject) -> Iterable[Finding]:
    """enable_pdmux with what it excludes."""
    if not subject.flag("enable_pdmux"):
        return
    key = subject.key("enable_pdmux")
    stages = subject.integer("pp_size") or subject.spec.parallel.pipeline
    if stages > 1:
        yield Finding(message="enable_pdmux excludes pipeline parallelism", key=key)
    elif subject.value("chunked_prefill_size") != -1:
        yield Finding(message="enable_pdmux needs chunked_prefill_size: -1", key=key)
    elif subject.text("disaggregation_mode") not in (None, "null"):
        yield Finding(message="enable_pdmux excludes disaggregation_mode", key=key)
    elif not subject.flag("disable_overlap_schedule"):
        yield Finding(message="enable_pdmux needs disable_overlap_schedule: true", key=key)


@rule(
    code="SV295",
    name="sglang-window-ratio-range",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.8",
    summary="swa_full_tokens_ratio lies above 0 and at most at 1.",
    explanation="It is the size of the sliding-window pool as a share of the full one.",
    error_text="--swa-full-tokens-ratio should be in range (0, 1.0].",
    fix="Give a share such as 0.8.",
    source="SGLang 0.5.8 to 0.5.23 srt/arg_groups/kv_cache_hook.py",
    triggers=("args.swa_full_tokens_ratio",),
)
def window_ratio_range(subject: Subject) -> Iterable[Finding]:
    """swa_full_tokens_ratio outside (0, 1]."""
    ratio = subject.number("swa_full_tokens_ratio")
    if ratio is not None and not 0 < ratio <= 1:
        yield Finding(
            message=f"swa_full_tokens_ratio is {ratio:g}; it lies above 0 and at most at 1",
            key=subject.key("swa_full_tokens_ratio"),
        )
