"""Every rule finds its bad example at the key that the example names, and leaves its good one alone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from servespec.check import check_file
from servespec.diagnostics import Severity
from servespec.report.model import FileReport
from servespec.rules import all_cards
from servespec.rules.base import Rule
from servespec.spec.loader import load

EXAMPLES = Path(__file__).parents[2] / "examples" / "rules"
RULES = [card for card in all_cards() if isinstance(card, Rule)]
WITHOUT_EXAMPLE = {"SV102"}
"""SV102 says that a start lies within the uncertainty, which moves with every measurement: tests of the budget show it."""


@cache
def report(path: Path) -> FileReport:
    return check_file(load(path))


def test_every_rule_has_a_bad_and_a_good_example() -> None:
    found = {
        folder.name
        for folder in EXAMPLES.iterdir()
        if {"bad.yaml", "good.yaml"} <= {f.name for f in folder.iterdir()}
    }
    assert {rule.code for rule in RULES} - WITHOUT_EXAMPLE == found


@pytest.mark.parametrize("code", sorted(rule.code for rule in RULES if rule.code not in WITHOUT_EXAMPLE))
class TestExamples:
    def test_the_bad_one_is_found_at_its_key(self, code: str) -> None:
        path = EXAMPLES / code / "bad.yaml"
        named = re.match(r"# (SV\d+) at (\S+)\n", path.read_text("utf-8"))
        assert named is not None and named[1] == code
        found = [d for d in report(path).diagnostics if d.code == code]
        assert named[2] in {d.key for d in found}
        here = next(d for d in found if d.key == named[2])
        assert here.span is not None and here.span.line > 1
        assert len(here.message) > 15 and "None" not in here.message

    def test_the_good_one_has_no_such_finding_and_no_error(self, code: str) -> None:
        diagnostics = report(EXAMPLES / code / "good.yaml").diagnostics
        assert [d for d in diagnostics if d.code == code] == []
        assert [d for d in diagnostics if d.severity is Severity.error] == []
