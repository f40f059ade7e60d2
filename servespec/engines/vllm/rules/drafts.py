"""Draft models that do not belong to the target, or that this release of vLLM cannot draft with."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.vllm.rules.architecture import is_in_registry
from servespec.engines.vllm.rules.speculation import SPECULATION
from servespec.engines.vllm.rules.view import speculation, speculation_key
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

EAGLE = ("eagle", "eagle3")
HEADS = ("medusa", "mlp_speculator")


def draft_architecture(architecture: str, method: str) -> str:
    """The name under which vLLM looks up a draft head (vllm/transformers_utils/configs/eagle.py EAGLEConfig)."""
    if method == "eagle":
        return architecture if architecture.startswith("Eagle") else f"Eagle{architecture}"
    if architecture.startswith("Eagle3") or architecture.endswith("Eagle3"):
        return architecture
    return f"Eagle3{architecture}"


@rule(
    code="SV278",
    name="vllm-draft-head-unknown",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.5",
    summary="The draft model is no draft head that this release has a model for.",
    explanation="For eagle and eagle3 vLLM puts Eagle or Eagle3 before the draft's architecture and looks that up: only some "
    "families have such a head. An ordinary model, however small, is none; medusa and mlp_speculator read checkpoints "
    "of their own kind.",
    error_text="Model architectures ['EagleA'] are not supported for now.",
    fix="Name a draft head trained for the target, or use the method draft with a small model of the same family.",
    source="vLLM 0.8.5 to 0.32.0 vllm/transformers_utils/configs/eagle.py, model_executor/models/registry.py",
    triggers=SPECULATION,
)
def draft_head_unknown(subject: Subject) -> Iterable[Finding]:
    """Eagle + architecture is not in the release's registry; medusa with an ordinary model."""
    method, draft = speculation(subject).get("method"), subject.target.draft
    if draft is None or not isinstance(method, str) or method not in (*EAGLE, *HEADS):
        return
    if method in HEADS:
        yield Finding(
            message=f"{draft.id} is a {draft.architecture}, no {method} head: vLLM has nothing to load",
            key=speculation_key(subject, "model"),
        )
        return
    name = draft_architecture(draft.architecture, method)
    if not is_in_registry(name, subject.version):
        yield Finding(
            message=f"vLLM {subject.version} would look for {name} and has none: {draft.id} is a {draft.architecture}, no "
            f"{method} head that it knows",
            key=speculation_key(subject, "model"),
        )


@rule(
    code="SV279",
    name="vllm-draft-head-of-another-model",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.5",
    summary="An EAGLE head must be made for hidden states of the target's size.",
    explanation="The head reads the target's hidden states. Its first layer is as wide as those of the model that it was "
    "trained for; beside another model the shapes do not meet.",
    error_text="RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    fix="Name the head that was trained for this model.",
    source="vLLM 0.8.5, 0.32.0 vllm/model_executor/models/llama_eagle.py, llama_eagle3.py: fc",
    triggers=SPECULATION,
)
def draft_head_of_another_model(subject: Subject) -> Iterable[Finding]:
    """The hidden size that the head reads is not the target's."""
    method, draft = speculation(subject).get("method"), subject.target.draft
    if draft is None or method not in EAGLE:
        return
    reads = draft.extra.get("target_hidden_size", draft.hidden_size)
    if reads != subject.model.hidden_size:
        yield Finding(
            message=f"{draft.id} reads hidden states of {reads:,}, those of {subject.model.id} have "
            f"{subject.model.hidden_size:,}",
            key=speculation_key(subject, "model"),
        )


@rule(
    code="SV363",
    name="vllm-draft-model-not-supported",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.10,<0.15",
    summary="These releases do not draft with an ordinary small model.",
    explanation="Engine V1 learnt it in 0.15; engine V0, which could, went with 0.10.",
    error_text="Speculative decoding with draft model is not supported yet. Please consider using other speculative "
    "decoding methods such as ngram, medusa, eagle, or mtp.",
    fix="Take a newer release, an EAGLE head, or ngram.",
    source="vLLM 0.10.1 vllm/engine/arg_utils.py, 0.11.0, 0.13.0, 0.14.0 vllm/config/speculative.py; gone in 0.15",
    triggers=SPECULATION,
)
def draft_model_not_supported(subject: Subject) -> Iterable[Finding]:
    """Method draft_model, named or found by vLLM itself."""
    if (
        subject.target.draft is not None
        and speculation(subject).get("method", "draft_model") == "draft_model"
    ):
        yield Finding(
            message=f"vLLM {subject.version} does not draft with an ordinary model: take 0.15 or later, eagle or ngram",
            key=speculation_key(subject, "method"),
        )
