"""What a rule proposes mends what it found, keeps what a person wrote, and is done after once."""

from __future__ import annotations

from pathlib import Path

import pytest

from servespec.check import check_file
from servespec.control.fixes import edits_for, fix_file
from servespec.spec.loader import load, load_text

EXAMPLES = Path(__file__).parents[2] / "examples" / "rules"


def proposing() -> list[str]:
    """Codes whose bad example gets a fix with edits."""
    found = []
    for path in sorted(EXAMPLES.glob("*/bad.yaml")):
        loaded = load(path)
        code = path.parent.name
        if any(d.code == code and edits_for(d, loaded, unsafe=True) for d in check_file(loaded).diagnostics):
            found.append(code)
    return found


CODES = proposing()


def test_a_good_part_of_the_rules_proposes_a_fix() -> None:
    assert len(CODES) >= 30


@pytest.mark.parametrize("code", CODES)
def test_the_fix_mends_the_finding_and_a_second_run_changes_nothing(code: str) -> None:
    loaded = load(EXAMPLES / code / "bad.yaml")
    before = check_file(loaded).diagnostics
    fixed = fix_file(loaded, check_file, unsafe=True)
    assert code not in {d.code for d in fixed.report.diagnostics}
    assert len(fixed.report.diagnostics) <= len(before)
    assert fixed.text.startswith(f"# {code} at ")
    again = fix_file(load_text(fixed.text, loaded.path, loaded.directory), check_file, unsafe=True)
    assert not again.is_changed
