"""Start-ups published in threads, none of which a constant rests on alone: the test of what was never seen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # benchmarks is no part of the installed package

from benchmarks.accuracy.cases import DATA, load_cases
from benchmarks.accuracy.figures import Prediction, error, summarise, verdicts
from benchmarks.accuracy.predict import predict

CASES = load_cases([DATA / "published.jsonl"])


@pytest.fixture(scope="module")
def predictions() -> dict[str, Prediction]:
    return predict(CASES)


def test_none_of_them_is_among_the_cases_that_the_model_was_made_with() -> None:
    others = load_cases(sorted(DATA.glob("*cases.jsonl")))
    assert len(CASES) >= 60
    assert not {case.id for case in CASES} & {case.id for case in others}


def test_verdicts_agree_with_what_happened(predictions: dict[str, Prediction]) -> None:
    found = verdicts(CASES, predictions)
    assert found.false_fits == ()
    assert found.false_refusals == ()
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("engine", "figure", "part", "limit"),
    [
        ("vllm", "weights_bytes", "median", 0.002),
        ("vllm", "weights_bytes", "p90", 0.01),
        ("vllm", "kv_bytes_per_token", "median", 0.002),
        ("vllm", "kv_tokens", "median", 0.025),
        ("sglang", "kv_tokens", "median", 0.02),
    ],
)
def test_errors_stay_as_small_as_on_the_rows_that_are_known(
    predictions: dict[str, Prediction], engine: str, figure: str, part: str, limit: float
) -> None:
    found = summarise(error(case, predictions[case.id], figure) for case in CASES if case.engine == engine)
    assert found.count > 1
    assert getattr(found, part) <= limit
