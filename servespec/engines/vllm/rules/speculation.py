"""Speculative decoding settings that vLLM refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.vllm.rules.view import (
    pipeline_parallel,
    speculation,
    speculation_key,
    tensor_parallel,
)
from servespec.models.facts import Part
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

SPECULATION = ("speculative", "args.speculative_config")

# Methods that draft with the target model or without one: SpeculativeConfig.__post_init__ of 0.32.0.
WITHOUT_MODEL = (
    "ngram",
    "[ngram]",
    "ngram_gpu",
    "suffix",
    "mtp",
    "extract_hidden_states",
    "dspark",
    "custom_class",
)

NAMED_METHOD = re.compile("eagle-|eagle3|dflash|dspark")
"""Names of draft models that decide the method whatever is asked for (the same place)."""


@rule(
    code="SV250",
    name="vllm-draft-tensor-parallel",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.3",
    summary="The draft model runs on one rank or on as many as the target.",
    explanation="draft_tensor_parallel_size may be 1 or the target's tensor-parallel size, nothing between.",
    error_text="speculative_draft_tensor_parallel_size=A cannot be other value than 1 or target model "
    "tensor_parallel_size",
    fix="Set draft_tensor_parallel_size to 1 or to parallel.tensor, or leave it out.",
    source="vLLM 0.8.5, 0.32.0 vllm/config/speculative.py _verify_and_get_draft_tp",
    triggers=SPECULATION,
)
def draft_tensor_parallel(subject: Subject) -> Iterable[Finding]:
    """draft_tensor_parallel_size neither 1 nor tp."""
    draft, ranks = speculation(subject).get("draft_tensor_parallel_size"), tensor_parallel(subject)
    if isinstance(draft, int) and draft not in (1, ranks):
        yield Finding(
            message=f"draft_tensor_parallel_size is {draft}; it may be 1 or the target's {ranks}",
            key=speculation_key(subject),
        )


@rule(
    code="SV251",
    name="vllm-speculation-wrong-parallel-key",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.15",
    summary="In speculative_config the key is draft_tensor_parallel_size, not tensor_parallel_size.",
    explanation="vLLM refuses tensor_parallel_size inside speculative_config, so that nobody takes it for "
    "the target's.",
    error_text="'tensor_parallel_size' is not a valid argument in the speculative_config. Please pass "
    "'draft_tensor_parallel_size' instead.",
    fix="Rename the key to draft_tensor_parallel_size.",
    source="vLLM 0.15.0, 0.32.0 vllm/config/speculative.py _verify_args",
    triggers=("args.speculative_config",),
)
def speculation_wrong_parallel_key(subject: Subject) -> Iterable[Finding]:
    """tensor_parallel_size inside speculative_config."""
    if speculation(subject).get("tensor_parallel_size") is not None:
        yield Finding(
            message="speculative_config has tensor_parallel_size; the key is draft_tensor_parallel_size",
            key=speculation_key(subject),
        )


@rule(
    code="SV252",
    name="vllm-speculation-token-count",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.3",
    summary="num_speculative_tokens must be above zero.",
    explanation="A step that drafts nothing is no speculation.",
    error_text="Expected num_speculative_tokens to be greater than zero (A).",
    fix="Set a number of draft tokens, 1 to 8 being usual.",
    source="vLLM 0.32.0 vllm/config/speculative.py _verify_args",
    triggers=("args.speculative_config",),
)
def speculation_token_count(subject: Subject) -> Iterable[Finding]:
    """num_speculative_tokens <= 0."""
    tokens = speculation(subject).get("num_speculative_tokens")
    if isinstance(tokens, int) and tokens <= 0:
        yield Finding(
            message=f"num_speculative_tokens is {tokens}; it must be above zero", key=speculation_key(subject)
        )


@rule(
    code="SV253",
    name="vllm-speculation-without-draft",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.3",
    summary="This method of speculation needs a draft model.",
    explanation="eagle, eagle3, medusa, mlp_speculator and draft_model read a second checkpoint; ngram, "
    "suffix and mtp do not.",
    error_text="num_speculative_tokens was provided but without speculative model.",
    fix="Name the draft checkpoint in speculative.model.",
    source="vLLM 0.32.0 vllm/config/speculative.py __post_init__",
    triggers=SPECULATION,
)
def speculation_without_draft(subject: Subject) -> Iterable[Finding]:
    """A method that needs a draft model, without one."""
    config = speculation(subject)
    method = config.get("method")
    if not config or config.get("model") or config.get("num_speculative_tokens") is None:
        return
    if isinstance(method, str) and (method in WITHOUT_MODEL or method.endswith("mtp")):
        return
    yield Finding(
        message=f"speculation by {method or 'a draft model'} needs a draft checkpoint: name it in speculative.model",
        key=speculation_key(subject, "method"),
    )


@rule(
    code="SV269",
    name="vllm-mtp-without-layers",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11",
    summary="Speculation by mtp needs a checkpoint with multi-token prediction layers.",
    explanation="mtp drafts with layers that the checkpoint itself brings (DeepSeek-V3, GLM-4.5, Qwen3-Next and "
    "others). A checkpoint without them has nothing to draft with, and vLLM does not start.",
    error_text="Unsupported speculative method: 'mtp'",
    fix="Use ngram, or a draft model of the same family.",
    source="vLLM 0.32.0 vllm/config/speculative.py __post_init__, MTPModelTypes",
    triggers=SPECULATION,
)
def mtp_without_layers(subject: Subject) -> Iterable[Finding]:
    """Method mtp on a checkpoint without such layers."""
    config, model = speculation(subject), subject.model
    method = config.get("method")
    if not isinstance(method, str) or not method.endswith("mtp"):
        return
    if config.get("model"):
        if subject.target.draft is None or NAMED_METHOD.search(subject.target.draft.id.lower()):
            return
        model = subject.target.draft
    if any(group.part is Part.mtp for group in model.tensors) or "mtp_layers_not_counted" in model.extra:
        return
    yield Finding(
        message=f"{model.id} has no multi-token prediction layers to draft with",
        key=speculation_key(subject, "model" if config.get("model") else "method"),
    )


@rule(
    code="SV254",
    name="vllm-ngram-window-order",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.3",
    summary="ngram: prompt_lookup_min may not be above prompt_lookup_max.",
    explanation="The two are the shortest and the longest n-gram looked up in the prompt.",
    error_text="prompt_lookup_min=A must be <= prompt_lookup_max=B",
    fix="Swap the two.",
    source="vLLM 0.32.0 vllm/config/speculative.py __post_init__",
    triggers=("args.speculative_config",),
)
def ngram_window_order(subject: Subject) -> Iterable[Finding]:
    """prompt_lookup_min > prompt_lookup_max."""
    config = speculation(subject)
    least, most = config.get("prompt_lookup_min"), config.get("prompt_lookup_max")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Finding(
            message=f"prompt_lookup_min {least} is above prompt_lookup_max {most}",
            key=speculation_key(subject),
        )


@rule(
    code="SV255",
    name="vllm-draft-vocabulary",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.15",
    summary="A draft model must have the target's vocabulary.",
    explanation="Drafted token ids are given to the target as they are. vLLM refuses vocabularies of "
    "different size (use_heterogeneous_vocab translates where the release has it).",
    error_text="Target and draft model should have the same vocabulary size. Target model vocab_size=A. "
    "Draft model vocab_size=B.",
    fix="Choose a draft model of the same family.",
    source="vLLM 0.15.0, 0.32.0 vllm/config/speculative.py verify_equal_vocab_size_if_draft_model",
    triggers=SPECULATION,
)
def draft_vocabulary(subject: Subject) -> Iterable[Finding]:
    """vocab_size of draft and target differ."""
    config, draft = speculation(subject), subject.target.draft
    if (
        draft is None
        or config.get("method") not in (None, "draft_model")
        or config.get("use_heterogeneous_vocab")
    ):
        return
    if draft.vocab_size != subject.model.vocab_size:
        yield Finding(
            message=f"the draft model has {draft.vocab_size:,} tokens in its vocabulary, the target "
            f"{subject.model.vocab_size:,}: vLLM refuses",
            key=speculation_key(subject, "model"),
        )


@rule(
    code="SV256",
    name="vllm-async-scheduling-with-speculation",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.14",
    summary="Forced asynchronous scheduling excludes some methods of speculation.",
    explanation="Left alone vLLM turns asynchronous scheduling off where it cannot be; asked for in so "
    "many words with ngram, suffix, medusa or mlp_speculator it refuses.",
    error_text="Currently, async scheduling is only supported with EAGLE/MTP/Draft Model/NGram "
    "GPU/DSpark/DFlash kind of speculative decoding",
    fix="Leave async_scheduling out.",
    source="vLLM 0.32.0 vllm/config/vllm.py __post_init__",
    triggers=("args.async_scheduling",),
)
def async_scheduling_with_speculation(subject: Subject) -> Iterable[Finding]:
    """async_scheduling: true with a method that lacks it."""
    method = speculation(subject).get("method")
    if subject.flag("async_scheduling") and method in (
        "ngram",
        "[ngram]",
        "suffix",
        "medusa",
        "mlp_speculator",
    ):
        yield Finding(
            message=f"async_scheduling is asked for, but speculation by {method} cannot run under it: leave it out",
            key=subject.key("async_scheduling"),
        )


@rule(
    code="SV257",
    name="vllm-speculation-metrics-without-speculation",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.30",
    summary="per_request_spec_decode_metrics needs speculative decoding.",
    explanation="There is nothing to measure without it; vLLM refuses.",
    error_text="--per-request-spec-decode-metrics requires speculative decoding to be enabled (via "
    "--speculative-config).",
    fix="Remove the flag, or give speculative.",
    source="vLLM 0.32.0 vllm/config/vllm.py __post_init__",
    triggers=("args.per_request_spec_decode_metrics",),
)
def speculation_metrics_without_speculation(subject: Subject) -> Iterable[Finding]:
    """per_request_spec_decode_metrics without speculation."""
    asked = subject.value("per_request_spec_decode_metrics")
    if asked not in (None, "none") and not speculation(subject):
        yield Finding(
            message="per_request_spec_decode_metrics is set without speculative decoding",
            key=subject.key("per_request_spec_decode_metrics"),
        )


@rule(
    code="SV258",
    name="vllm-heterogeneous-vocabulary-method",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.25",
    summary="use_heterogeneous_vocab belongs to the method draft_model alone.",
    explanation="Only a full draft model has a vocabulary of its own to translate.",
    error_text="use_heterogeneous_vocab only works with method='draft_model'",
    fix="Remove use_heterogeneous_vocab.",
    source="vLLM 0.25.1, 0.32.0 vllm/config/speculative.py _verify_args",
    triggers=("args.speculative_config",),
)
def heterogeneous_vocabulary_method(subject: Subject) -> Iterable[Finding]:
    """use_heterogeneous_vocab with another method."""
    config = speculation(subject)
    if config.get("use_heterogeneous_vocab") is True and config.get("method") not in (None, "draft_model"):
        yield Finding(
            message=f"use_heterogeneous_vocab is set for the method {config.get('method')}; it works with draft_model "
            "alone",
            key=speculation_key(subject),
        )


@rule(
    code="SV259",
    name="vllm-pipeline-with-adaptive-verification",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.30",
    summary="Adaptive verification does not go with pipeline parallelism.",
    explanation="Its cost curves live on the last stage alone.",
    error_text="Adaptive verification is not currently compatible with pipeline parallelism",
    fix="Remove enable_adaptive_verification from speculative_config, or set parallel.pipeline: 1.",
    source="vLLM 0.32.0 vllm/config/vllm.py _validate_adaptive_verification",
    triggers=("args.speculative_config",),
)
def pipeline_with_adaptive_verification(subject: Subject) -> Iterable[Finding]:
    """enable_adaptive_verification with pp > 1."""
    if speculation(subject).get("enable_adaptive_verification") is True and pipeline_parallel(subject) > 1:
        yield Finding(
            message="enable_adaptive_verification and pipeline parallelism are refused together",
            key=speculation_key(subject),
        )
