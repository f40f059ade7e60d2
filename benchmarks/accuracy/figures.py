"""Errors of predictions: one row a case, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.cases import Case

FIGURES = ("weights_bytes", "activation_bytes", "kv_cache_bytes", "kv_bytes_per_token", "kv_tokens")
NO_ANSWER = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a predictor says of one case; None where it does not say."""

    verdict: str | None = None
    weights_bytes: float | None = None
    activation_bytes: float | None = None
    kv_cache_bytes: float | None = None
    kv_bytes_per_token: float | None = None
    kv_tokens: float | None = None
    uncertainty_bytes: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Median, 90th percentile and worst of relative errors; None without any."""

    count: int
    median: float | None
    p90: float | None
    worst: float | None


def measured_figure(case: Case, figure: str) -> float | None:
    """The figure as measured; None where the row does not have it or an unknown input decides it."""
    if case.decided_by_unknown(figure):
        return None
    if figure == "kv_bytes_per_token":
        size, tokens = case.measured.get("kv_cache_bytes"), case.measured.get("kv_tokens")
        return size / tokens if size and tokens and size > 0 else None
    value = case.measured.get(figure)
    return float(value) if isinstance(value, int | float) and value > 0 else None


def error(case: Case, prediction: Prediction, figure: str) -> float | None:
    """Relative error; 1.0 when there is no answer, None when there is nothing to compare with.

    Half a unit of the printed rounding is no error of the prediction and is taken off.
    """
    measured = measured_figure(case, figure)
    if measured is None:
        return None
    predicted = getattr(prediction, figure)
    if predicted is None or predicted <= 0:
        return NO_ANSWER
    difference = abs(predicted - measured)
    difference = max(0.0, difference - case.precision.get(figure, 0.0))
    return min(difference / measured, 10.0)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value with at least that share of all at or below it (nearest rank)."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def summarise(errors: Iterable[float | None]) -> Summary:
    """What the errors of one group come to."""
    values = [value for value in errors if value is not None]
    if not values:
        return Summary(0, None, None, None)
    middle = sorted(values)
    half = len(middle) // 2
    median = middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
    return Summary(len(values), median, quantile(values, 0.9), max(values))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How verdicts agree with outcomes."""

    decided: int
    started: int
    false_fits: tuple[str, ...]
    false_refusals: tuple[str, ...]
    unknown: tuple[str, ...]
    tight: tuple[str, ...]
    within_uncertainty: tuple[int, int]


def verdicts(cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> Verdicts:
    """Count false fits, false refusals, unknowns; cases whose outcome an unknown input decides are left out."""
    false_fits, false_refusals, unknown, tight = [], [], [], []
    decided = started = inside = bounded = 0
    for case in cases:
        prediction = predictions[case.id]
        if prediction.verdict == "unknown":
            unknown.append(case.id)
        measured = measured_figure(case, "kv_cache_bytes")
        if (
            measured is not None
            and prediction.kv_cache_bytes is not None
            and prediction.uncertainty_bytes is not None
        ):
            bounded += 1
            slack = prediction.uncertainty_bytes + case.precision.get("kv_cache_bytes", 0.0)
            inside += abs(measured - prediction.kv_cache_bytes) <= slack
        if case.started is None or case.unknown:
            continue
        decided += 1
        started += case.started
        if case.started and prediction.verdict in ("does_not_fit", "invalid"):
            false_refusals.append(case.id)
        if case.started and prediction.verdict == "tight":
            tight.append(case.id)
        if not case.started and prediction.verdict == "fits":
            false_fits.append(case.id)
    return Verdicts(
        decided,
        started,
        tuple(false_fits),
        tuple(false_refusals),
        tuple(unknown),
        tuple(tight),
        (inside, bounded),
    )
