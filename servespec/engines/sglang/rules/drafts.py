"""Draft models that SGLang cannot use beside the target."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.sglang.drafts import drafts_with_target
from servespec.engines.sglang.rules.view import algorithm, algorithm_key
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

SPECULATION = ("speculative", "args.speculative_algorithm")


def _draft_key(subject: Subject) -> str:
    section = subject.spec.speculative
    return "speculative.model" if section is not None and section.model else algorithm_key(subject)


@rule(
    code="SV355",
    name="sglang-draft-vocabulary",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.2",
    summary="A draft model must have the target's vocabulary.",
    explanation="Drafted token ids are given to the target as they are. SGLang refuses vocabularies of different size; "
    "releases before that check index out of bounds.",
    error_text="STANDALONE speculative decoding requires the draft model to have the same vocabulary as the target model, "
    "but got target vocab_size=A and draft vocab_size=B.",
    fix="Choose a draft model of the same family.",
    source="SGLang 0.5.17, 0.5.23 srt/speculative/standalone_worker_v2.py _validate_vocab_compatibility",
    triggers=SPECULATION,
)
def draft_vocabulary(subject: Subject) -> Iterable[Finding]:
    """STANDALONE, and vocab_size of draft and target differ."""
    draft = subject.target.draft
    if algorithm(subject) == "STANDALONE" and draft and draft.vocab_size != subject.model.vocab_size:
        yield Finding(
            message=f"the draft model has {draft.vocab_size:,} tokens in its vocabulary, the target "
            f"{subject.model.vocab_size:,}: SGLang refuses",
            key=_draft_key(subject),
        )


@rule(
    code="SV356",
    name="sglang-draft-head-of-another-model",
    severity=Severity.error,
    engine="sglang",
    summary="An EAGLE head must be made for hidden states of the target's size.",
    explanation="The head reads the target's hidden states and shares its embedding. Beside a model of another hidden size "
    "the shapes do not meet, at the latest when graphs are captured.",
    error_text="RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    fix="Name the head that was trained for this model.",
    source="SGLang 0.5.23 srt/speculative/eagle_worker_v2.py set_embed_and_head, eagle_utils.py; srt/models/llama_eagle.py, "
    "llama_eagle3.py",
    triggers=SPECULATION,
)
def draft_head_of_another_model(subject: Subject) -> Iterable[Finding]:
    """EAGLE or EAGLE3, and the hidden size that the head reads is not the target's."""
    draft = subject.target.draft
    if draft is None or algorithm(subject) not in ("EAGLE", "EAGLE3", "NEXTN"):
        return
    reads = draft.extra.get("target_hidden_size", draft.hidden_size)
    if reads != subject.model.hidden_size:
        yield Finding(
            message=f"{draft.id} reads hidden states of {reads:,}, those of {subject.model.id} have "
            f"{subject.model.hidden_size:,}",
            key=_draft_key(subject),
        )


@rule(
    code="SV357",
    name="sglang-eagle3-without-head",
    severity=Severity.error,
    engine="sglang",
    summary="EAGLE3 needs a draft head.",
    explanation="Without speculative_draft_model_path SGLang loads the target's own checkpoint as the draft. Nothing in it is "
    "an EAGLE-3 head, and the worker stops where it asks for what such a head brings.",
    error_text="AttributeError: 'A' object has no attribute 'hot_token_id'",
    fix="Name the head in speculative.model.",
    source="SGLang 0.5.23 srt/speculative/eagle_worker_v2.py init_lm_head",
    triggers=SPECULATION,
)
def eagle3_without_head(subject: Subject) -> Iterable[Finding]:
    """EAGLE3, no draft path, no head among the checkpoint's tensors."""
    if algorithm(subject) == "EAGLE3" and drafts_with_target(subject.target):
        yield Finding(
            message=f"EAGLE3 without a draft head: {subject.model.architecture} brings none",
            key=algorithm_key(subject),
        )
