"""The rows measured on a GPU: the page and the cases made of them are fresh, and predictions still hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[3]))  # benchmarks is no part of the installed package

from benchmarks.accuracy.cases import load_cases
from benchmarks.accuracy.figures import error, verdicts
from benchmarks.accuracy.predict import predict
from benchmarks.evidence import CASES, FOLDER, PAGE, PREDICTIONS, cases, page, starts, waiting


def test_the_page_and_the_cases_are_those_that_the_rows_give() -> None:
    found = starts()
    assert PAGE.read_text(encoding="utf-8") == page(found, waiting()), "run `python -m benchmarks.evidence`"
    assert CASES.read_text(encoding="utf-8") == cases(found), "run `python -m benchmarks.evidence`"


def test_every_spec_for_several_gpus_has_its_prediction_written_down() -> None:
    specs = {path.stem for path in (FOLDER / "specs" / "tp").glob("*.yaml")}
    series = sorted(FOLDER.glob(f"h200-tp-*{PREDICTIONS}"))
    assert len(specs) >= 8
    assert len(series) == 2
    for path in series:
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert {entry["id"] for entry in entries} == specs
        assert all(entry["predicted"]["kv_tokens"] > 8192 for entry in entries)


def test_what_was_written_down_before_the_starts_was_right() -> None:
    errors = [abs(start.error) for start in starts() if start.error is not None]
    assert len(errors) >= 4
    assert median(errors) <= 0.003
    assert max(errors) <= 0.02


def test_the_model_of_today_still_predicts_the_measured_starts() -> None:
    measured = load_cases([CASES])
    predicted = predict(measured)
    found = verdicts(measured, predicted)
    assert not found.false_fits
    assert not found.false_refusals
    errors = [error(case, predicted[case.id], "kv_tokens") for case in measured]
    assert max(each for each in errors if each is not None) <= 0.005
