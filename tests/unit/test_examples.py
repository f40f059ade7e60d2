"""Specs side by side: what is good has no error, what is bad has exactly the errors that its list names."""

from __future__ import annotations

from pathlib import Path

import pytest

from servespec.check import check_file
from servespec.diagnostics import Severity
from servespec.spec import load

EXAMPLES = Path(__file__).parents[1] / "examples"
EXPECTED = {
    line.split()[0]: line.split()[1:]
    for line in (EXAMPLES / "invalid" / "expected.txt").read_text(encoding="utf-8").splitlines()
}


def errors(path: Path) -> list[str]:
    report = check_file(load(path))
    return [
        f"{d.code}:{d.span.line}:{d.span.column}"
        for d in report.diagnostics
        if d.severity is Severity.error and d.span is not None
    ]


@pytest.mark.parametrize("path", sorted((EXAMPLES / "valid").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_valid_spec_has_no_error(path: Path) -> None:
    assert errors(path) == []


@pytest.mark.parametrize("path", sorted((EXAMPLES / "invalid").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_invalid_spec_has_the_errors_that_are_expected_at_their_places(path: Path) -> None:
    assert errors(path) == EXPECTED[path.stem]


def test_every_expectation_has_its_spec() -> None:
    assert set(EXPECTED) == {path.stem for path in (EXAMPLES / "invalid").glob("*.yaml")}
