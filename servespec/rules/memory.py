"""The verdict of the memory budget as findings (SV101 to SV103)."""

from __future__ import annotations

from collections.abc import Iterator

from servespec.diagnostics import Fix, Severity
from servespec.memory.budget import Shortfall, Verdict
from servespec.rules.base import Card, Finding, rule
from servespec.rules.subject import Subject


def _finding(shortfall: Shortfall) -> Finding:
    return Finding(
        message=shortfall.message, key=shortfall.key, fix=Fix(shortfall.fix) if shortfall.fix else None
    )


@rule(
    code="SV101",
    name="does-not-fit",
    severity=Severity.error,
    summary="The engine would refuse to start, or run out of memory.",
    explanation="What this version of the engine allocates on one GPU (weights, activations, memory outside of the "
    "allocator, graphs) leaves too little for the KV cache that the settings ask for, by more than the uncertainty "
    "of the prediction. `servespec explain FILE` shows every term with its formula and source.",
    error_text="To serve at least one request with the models's max seq len, KV cache is needed, which is larger than "
    "the available KV cache memory. / No available memory for the cache blocks. / Not enough memory.",
    fix="Shorten limits.max_model_len, spread the model over more GPUs, or take a quantized checkpoint.",
)
def does_not_fit(subject: Subject) -> Iterator[Finding]:
    """Shortfalls beyond the uncertainty."""
    budget = subject.budget
    if budget is None or budget.verdict is not Verdict.does_not_fit:
        return
    yield from map(_finding, (s for s in budget.shortfalls if s.certain))


@rule(
    code="SV102",
    name="tight",
    severity=Severity.warning,
    summary="Whether the engine starts lies within the uncertainty of the prediction.",
    explanation="The prediction has an uncertainty, which the report shows. The settings are so near to the limit "
    "that one start may succeed and another, with a different driver or another process on the GPU, may fail.",
    fix="Leave some room: a shorter limits.max_model_len or a somewhat higher limits.gpu_memory_fraction.",
)
def tight(subject: Subject) -> Iterator[Finding]:
    """Shortfalls within the uncertainty."""
    budget = subject.budget
    if budget is None or budget.verdict is not Verdict.tight:
        return
    yield from map(_finding, (s for s in budget.shortfalls if not s.certain))


INTERNAL_ERROR = Card(
    code="SV104",
    name="internal-error",
    severity=Severity.error,
    summary="servespec itself failed on this target, so nothing is known of it.",
    explanation="This is a mistake in servespec, not in the spec. The message names the place in its source; with "
    "the spec it is all that a bug report needs. Other targets and files are checked all the same.",
    fix="Report it; until then leave out the setting that it stumbles over.",
)
UNMODELLED = Card(
    code="SV103",
    name="not-modelled",
    severity=Severity.warning,
    summary="The architecture, quantization or setting is not modelled, so no budget is made.",
    explanation="A wrong 'fits' is worse than none. Where servespec knows that it does not know how an engine lays "
    "out an architecture or a quantization, the verdict is 'unknown', and the message names what is missing.",
    fix="Measure it once: start the engine and hand its log to `servespec observe`.",
)
