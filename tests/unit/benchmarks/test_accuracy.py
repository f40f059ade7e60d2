"""The predictions keep to the accuracy that the project promises, on every measured start-up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # benchmarks is no part of the installed package

from benchmarks.accuracy.cases import DATA, Case, load_cases
from benchmarks.accuracy.document import COMMAND
from benchmarks.accuracy.figures import Prediction, Summary, error, summarise, verdicts
from benchmarks.accuracy.predict import predict
from benchmarks.accuracy.reasons import reasons, to_explain
from benchmarks.accuracy.rivals import RIVALS

DOCUMENT = Path(__file__).parents[3] / "docs" / "accuracy.md"
CASES = load_cases([DATA / "cases.jsonl"])


@pytest.fixture(scope="module")
def predictions() -> dict[str, Prediction]:
    return predict(CASES)


def of(engine: str, confidence: str | None) -> Iterator[Case]:
    return (case for case in CASES if case.engine == engine and confidence in (None, case.confidence))


def summary(predictions: dict[str, Prediction], engine: str, confidence: str | None, figure: str) -> Summary:
    found = summarise(error(case, predictions[case.id], figure) for case in of(engine, confidence))
    assert found.count, f"no {engine} {confidence} row has {figure}"
    return found


@pytest.mark.parametrize(
    ("engine", "confidence", "figure", "part", "limit"),
    [
        ("vllm", "exact", "weights_bytes", "median", 0.001),
        ("vllm", "exact", "weights_bytes", "p90", 0.005),
        ("vllm", "exact", "kv_tokens", "median", 0.003),
        ("vllm", "exact", "kv_tokens", "p90", 0.015),
        ("vllm", "high", "weights_bytes", "median", 0.005),
        ("vllm", "high", "kv_tokens", "median", 0.015),
        ("vllm", "high", "kv_tokens", "p90", 0.06),
        ("sglang", "exact", "kv_tokens", "median", 0.005),
        ("sglang", "exact", "kv_tokens", "worst", 0.03),
        ("sglang", "medium", "kv_tokens", "median", 0.05),
        ("tgi", None, "kv_tokens", "median", 0.05),
    ],
)
def test_the_error_stays_below_the_promised_limit(
    predictions: dict[str, Prediction],
    engine: str,
    confidence: str | None,
    figure: str,
    part: str,
    limit: float,
) -> None:
    assert getattr(summary(predictions, engine, confidence, figure), part) <= limit


def test_nothing_that_did_not_start_is_said_to_fit(predictions: dict[str, Prediction]) -> None:
    assert verdicts(CASES, predictions).false_fits == ()


def test_refusals_unknowns_and_tight_verdicts_of_starts_stay_rare(predictions: dict[str, Prediction]) -> None:
    found = verdicts(CASES, predictions)
    assert found.started > 100
    assert len(found.false_refusals) <= 0.03 * found.started
    assert len(found.unknown) <= 0.02 * len(CASES)
    assert len(found.tight) <= 0.10 * found.started


def test_nine_in_ten_measured_caches_lie_within_the_stated_uncertainty(
    predictions: dict[str, Prediction],
) -> None:
    inside, bounded = verdicts(CASES, predictions).within_uncertainty
    assert bounded > 80
    assert inside >= 0.90 * bounded


def test_every_case_beyond_ten_percent_or_wrongly_refused_has_a_reason_and_no_reason_outlives_its_case(
    predictions: dict[str, Prediction],
) -> None:
    assert set(reasons()) == to_explain(CASES, predictions)
    assert all(sentence.endswith(".") and len(sentence) > 40 for sentence in reasons().values())


def test_the_document_names_its_command_every_rival_and_every_reason() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert COMMAND in text
    assert all(f"{rival.name} {rival.version}" in text for rival in RIVALS)
    assert all(sentence in text for sentence in reasons().values())
