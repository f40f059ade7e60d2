"""Why a case is off by more than 10 %, or is refused and started: one sentence each, kept in ``data/reasons.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from benchmarks.accuracy.cases import DATA, Case
from benchmarks.accuracy.figures import FIGURES, Prediction, error, verdicts

BEYOND = 0.10


def reasons() -> dict[str, str]:
    """The sentences by case."""
    found: dict[str, str] = json.loads((DATA / "reasons.json").read_text(encoding="utf-8"))
    return found


def to_explain(cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> frozenset[str]:
    """The cases that need a sentence: those beyond 10 %, false fits and false refusals."""
    found = verdicts(cases, predictions)
    return frozenset((*beyond(cases, predictions), *found.false_fits, *found.false_refusals))


def beyond(
    cases: Sequence[Case], predictions: Mapping[str, Prediction], limit: float = BEYOND
) -> tuple[str, ...]:
    """The ids of the cases that have a figure off by more than ``limit``."""
    return tuple(
        case.id
        for case in cases
        if any((error(case, predictions[case.id], figure) or 0.0) > limit for figure in FIGURES)
    )
