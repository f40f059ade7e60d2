"""The figures as text: Markdown for the docs, rows for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.figures import (
    FIGURES,
    Prediction,
    Summary,
    error,
    measured_figure,
    summarise,
    verdicts,
)
from benchmarks.accuracy.reasons import reasons

CLASSES = (
    ("vllm", "exact"),
    ("vllm", "high"),
    ("vllm", "medium"),
    ("sglang", "exact"),
    ("sglang", "high"),
    ("sglang", "medium"),
    ("tgi", "high"),
    ("tgi", "medium"),
)


def percent(value: float | None) -> str:
    """``0.0123`` → ``1.23 %``."""
    return "–" if value is None else f"{100 * value:.2f} %"


def summary_cells(summary: Summary) -> str:
    """Count, median, p90, worst."""
    return f"{summary.count} | {percent(summary.median)} | {percent(summary.p90)} | {percent(summary.worst)}"


def classes_table(cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> str:
    """One line for each engine, confidence and figure."""
    lines = ["| engine | rows | figure | n | median | p90 | worst |", "|---|---|---|---|---|---|---|"]
    for engine, confidence in CLASSES:
        group = [case for case in cases if (case.engine, case.confidence) == (engine, confidence)]
        for figure in FIGURES:
            summary = summarise(error(case, predictions[case.id], figure) for case in group)
            if summary.count:
                lines.append(f"| {engine} | {confidence} | {figure} | {summary_cells(summary)} |")
    return "\n".join(lines)


def starts_table(cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> str:
    """One line for each start: what it was, what became of it, the verdict and the errors."""
    lines = [
        "| start | engine | GPUs | measured | verdict | weights | KV cache | KV tokens |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        prediction = predictions[case.id]
        version = case.spec["targets"][case.engine].get("version", "")
        gpus = f"{case.spec['hardware'].get('count', 1)} × {case.gpu}"
        outcome = case.measured.get("outcome") or "not printed"
        errors = [
            percent(error(case, prediction, figure))
            for figure in ("weights_bytes", "kv_cache_bytes", "kv_tokens")
        ]
        cells = [case.id, f"{case.engine} {version}", gpus, outcome, prediction.verdict, *errors]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdict_lines(cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> str:
    """False fits, false refusals, unknowns, tight, and the share within the uncertainty."""
    result = verdicts(cases, predictions)
    inside, bounded = result.within_uncertainty
    share = inside / bounded if bounded else 0.0

    def named(ids: tuple[str, ...]) -> str:
        return f"{len(ids)}" + (f" ({', '.join(ids)})" if ids else "")

    return "\n".join(
        (
            f"- outcomes decided: {result.decided}, of which started: {result.started}",
            f"- false fits: {named(result.false_fits)}",
            f"- false refusals: {named(result.false_refusals)}",
            f"- unknown: {named(result.unknown)}",
            f"- tight among the started: {named(result.tight)}",
            f"- KV bytes within the stated uncertainty: {inside} of {bounded} ({percent(share)})",
            *(
                f"- `{case}` is judged wrongly: {reasons().get(case, 'no reason is known')}"
                for case in (*result.false_fits, *result.false_refusals)
            ),
        )
    )


def worst_lines(cases: Sequence[Case], predictions: Mapping[str, Prediction], beyond: float) -> str:
    """Every case with a figure off by more than ``beyond``."""
    lines, known = [], reasons()
    for case in cases:
        prediction = predictions[case.id]
        off = []
        for figure in FIGURES:
            value = error(case, prediction, figure)
            if value is not None and value > beyond:
                predicted = getattr(prediction, figure)
                shown = "no answer" if predicted is None else f"{predicted:,.0f}"
                measured = measured_figure(case, figure)
                off.append(f"{figure} {percent(value)} (predicted {shown}, measured {measured:,.0f})")
        if off:
            why = known.get(case.id, "no reason is known")
            lines.append(f"- `{case.id}` ({case.engine} {case.confidence}): {'; '.join(off)}. {why}")
    return "\n".join(lines) or "- none"
