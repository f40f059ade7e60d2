"""The rivals' table: the same rows, the same run, the same arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.competition import Entry
from benchmarks.accuracy.figures import Prediction, Summary, error, measured_figure, summarise, verdicts
from benchmarks.accuracy.rivals import RIVALS
from benchmarks.accuracy.table import CLASSES, percent

OURS = "**servespec**"
HEAD = (
    "| rows | tool | weights median | weights p90 | KV tokens median | KV tokens p90 | KV tokens worst "
    "| no KV tokens | false fits | false refusals |\n|---|---|---|---|---|---|---|---|---|---|"
)


def comparison_table(
    cases: Sequence[Case], predictions: Mapping[str, Prediction], entries: Sequence[Entry]
) -> str:
    """One line for each class and tool; a rival that does not plan for an engine has none."""
    lines = [HEAD]
    for engine, confidence in CLASSES:
        group = [case for case in cases if (case.engine, case.confidence) == (engine, confidence)]
        if not group:
            continue
        label = f"{engine} {confidence} ({len(group)})"
        lines.append(f"| {label} | {OURS} | {_cells(group, predictions)} |")
        for entry in entries:
            if engine not in entry.rival.engines:
                continue
            tool = f"{entry.rival.name} {entry.rival.version}"
            cells = (
                f"not run: {entry.absent} | | | | | | |" if entry.absent else _cells(group, entry.predictions)
            )
            lines.append(f"| {label} | {tool} | {cells} |")
    return "\n".join(lines)


def _answers(group: Sequence[Case], predictions: Mapping[str, Prediction]) -> dict[str, Prediction]:
    return {case.id: predictions.get(case.id, Prediction()) for case in group}


def _summary(group: Sequence[Case], predictions: Mapping[str, Prediction], figure: str) -> Summary:
    answers = _answers(group, predictions)
    return summarise(error(case, answers[case.id], figure) for case in group)


def _cells(group: Sequence[Case], predictions: Mapping[str, Prediction]) -> str:
    answers = _answers(group, predictions)
    weights, tokens = (_summary(group, answers, figure) for figure in ("weights_bytes", "kv_tokens"))
    asked = [case for case in group if measured_figure(case, "kv_tokens") is not None]
    silent = sum((answers[case.id].kv_tokens or 0) <= 0 for case in asked)
    found = verdicts(group, answers)
    says = any(answer.verdict for answer in answers.values())
    return " | ".join(
        (
            percent(weights.median),
            percent(weights.p90),
            percent(tokens.median),
            percent(tokens.p90),
            percent(tokens.worst),
            f"{silent} of {len(asked)}",
            str(len(found.false_fits)) if says else "no verdict",
            str(len(found.false_refusals)) if says else "no verdict",
        )
    )


def behind_lines(
    cases: Sequence[Case], predictions: Mapping[str, Prediction], entries: Sequence[Entry]
) -> str:
    """Every cell of the table in which a rival is ahead; or that there is none.

    A tool that answers no row of a class is ahead in none, although no answer counts as 100 % and no more.
    """
    lines = []
    for engine, confidence in CLASSES:
        group = [case for case in cases if (case.engine, case.confidence) == (engine, confidence)]
        for entry in entries:
            if engine not in entry.rival.engines or entry.absent:
                continue
            for figure in ("weights_bytes", "kv_tokens"):
                if not any(getattr(entry.predictions.get(case.id), figure, None) for case in group):
                    continue
                ours, theirs = (_summary(group, whose, figure) for whose in (predictions, entry.predictions))
                lines += [
                    f"- {engine} {confidence}, {figure} {part}: {entry.rival.name} {percent(getattr(theirs, part))}, "
                    f"servespec {percent(getattr(ours, part))}"
                    for part in ("median", "p90", "worst")
                    if (getattr(theirs, part) or 0.0) < (getattr(ours, part) or 0.0)
                ]
    return "\n".join(lines) or "No rival is ahead in any cell."


def rivals_text() -> str:
    """What each rival was given, and what it does not take."""
    lines = ["| tool | given | does not take |", "|---|---|---|"]
    lines += [f"| {rival.name} {rival.version} | {rival.given} | {rival.lacks} |" for rival in RIVALS]
    return "\n".join(lines)
