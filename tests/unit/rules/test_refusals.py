"""Starts that people published as refused: each is found before a start, as an error."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from servespec.check import check_file
from servespec.diagnostics import Severity
from servespec.memory.budget import Verdict
from servespec.spec.loader import load_text

FOLDER = Path(__file__).parents[2] / "data" / "refusals"
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (FOLDER / "refusals.jsonl").read_text("utf-8").splitlines()
]

PUBLISHED = 75
"""Refusals that were collected."""


@cache
def found(number: int) -> tuple[Verdict, tuple[str, ...]]:
    row = ROWS[number]
    report = check_file(load_text(json.dumps(row["spec"]), f"{row['id']}.yaml", FOLDER))
    return report.verdict, tuple(d.code for d in report.diagnostics if d.severity is Severity.error)


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row["id"] for row in ROWS])
def test_a_published_refusal_is_an_error_before_the_start(number: int) -> None:
    verdict, codes = found(number)
    assert codes, ROWS[number]["error"]
    assert verdict in (Verdict.invalid, Verdict.does_not_fit, Verdict.unknown)


def test_every_published_refusal_is_either_found_or_left_out_for_a_reason() -> None:
    lines = (FOLDER / "left-out.jsonl").read_text("utf-8").splitlines()
    left_out = {row["id"]: row["reason"] for row in map(json.loads, lines)}
    assert all(left_out.values())
    assert not left_out.keys() & {row["id"] for row in ROWS}
    assert len(ROWS) + len(left_out) == PUBLISHED
