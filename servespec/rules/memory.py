"""The verdict of the memory budget as findings (SV101 to SV103)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from servespec.diagnostics import Fix, Severity
from servespec.memory.budget import Shortfall, ShortfallKind, Verdict
from servespec.rules.base import Card, Finding, rule
from servespec.rules.subject import Subject

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU, GPUProcess

GIB = 2**30
_AFTER_LOADING = {
    ShortfallKind.no_memory_for_kv,
    ShortfallKind.context_exceeds_kv,
    ShortfallKind.warmup_exceeds_memory,
    ShortfallKind.graphs_exceed_memory,
}


def _finding(shortfall: Shortfall) -> Finding:
    return Finding(
        message=shortfall.message, key=shortfall.key, fix=Fix(shortfall.fix) if shortfall.fix else None
    )


def _findings(subject: Subject, *, certain: bool) -> Iterator[Finding]:
    """The shortfalls; where processes on this machine's GPU bring them about, those first and then what is left.

    What the engine lacks because of them is one finding: stopping them mends all of it.
    """
    assert subject.budget is not None
    shortfalls = [each for each in subject.budget.shortfalls if each.certain is certain]
    gpu = subject.target.gpu
    if gpu.held_bytes and shortfalls:
        from servespec.engines import get_engine

        idle = get_engine(subject.target.engine).budget(replace(subject.target, gpu=gpu.idle()))
        remaining = [each for each in idle.shortfalls if each.certain is certain]
        if len(remaining) < len(shortfalls):
            yield _held(gpu, shortfalls)
            shortfalls = remaining
    yield from map(_finding, _causes(_untold(subject, shortfalls)))


def _untold(subject: Subject, shortfalls: list[Shortfall]) -> list[Shortfall]:
    """Without refusals of settings that a rule of the engine tells at the same key."""
    if all(each.kind is not ShortfallKind.engine_refuses for each in shortfalls):
        return shortfalls
    from servespec.rules.registry import rules_in_question

    told = {
        finding.key
        for rule in rules_in_question(subject)
        if rule.engine is not None and rule.severity is Severity.error
        for finding in rule.check(subject)
    }
    return [
        each for each in shortfalls if each.kind is not ShortfallKind.engine_refuses or each.key not in told
    ]


def _causes(shortfalls: list[Shortfall]) -> list[Shortfall]:
    """Without what follows from another: where the weights are too large, nothing is left for anything else."""
    weights = [each for each in shortfalls if each.kind is ShortfallKind.weights_exceed_device]
    return [each for each in shortfalls if each.kind not in _AFTER_LOADING] if weights else shortfalls


def _held(gpu: GPU, shortfalls: list[Shortfall]) -> Finding:
    """The processes that hold the GPU, and that stopping them is the way out."""
    first, *others = shortfalls
    pids = " ".join(str(process.pid) for process in gpu.processes)
    stop = f"stop what holds it (kill {pids})" if pids else "stop what holds it (`nvidia-smi` may show it)"
    beside = "" if others else f"; to start beside it: {first.fix}"
    return Finding(
        message=f"{_holders(gpu)} of {gpu.name}: {first.message}",
        key="hardware.gpu",
        fix=Fix(stop + beside),
    )


def _holders(gpu: GPU) -> str:
    if not gpu.processes:
        return f"processes that the driver does not show here hold {gpu.held_bytes / GIB:,.2f} GiB"
    return ", ".join(map(_holder, gpu.processes))


def _holder(process: GPUProcess) -> str:
    name = f" ({process.name})" if process.name else ""
    held = "an unknown part" if process.used_bytes is None else f"{process.used_bytes / GIB:,.2f} GiB"
    return f"process {process.pid}{name} holds {held}"


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
    yield from _findings(subject, certain=True)


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
    yield from _findings(subject, certain=False)


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
