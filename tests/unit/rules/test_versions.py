"""A rule holds for the versions that its specifier names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.rules.versions import holds, release

NUMBERS = st.lists(st.integers(0, 400), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("specifier", "version", "expected"),
    [
        ("", "0.1", True),
        (">=0.10", "0.9.2", False),
        (">=0.10", "0.10.0", True),
        (">=0.10,<0.21", "0.20.9", True),
        (">=0.10,<0.21", "0.21.0", False),
        ("<0.9", "0.8.5.post1", True),
        ("==0.5", "0.5.0", True),
        ("!=0.5", "0.5.0", False),
        (">0.5", "0.5.1", True),
        ("<=0.5.23", "0.5.23", True),
        (">=0.19.2", "0.19.2rc1.dev100+gf946659ff", True),
        (">=1.0", "v1.2.3", True),
        (">=0.1", "nightly", False),
    ],
)
def test_a_specifier_is_held_against_release_numbers(specifier: str, version: str, expected: bool) -> None:
    assert holds(specifier, version) is expected


def test_a_clause_without_an_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="no version clause"):
        holds("0.10", "0.10")


@given(NUMBERS, NUMBERS)
def test_exactly_one_of_below_equal_above_holds(left: list[int], right: list[int]) -> None:
    version, bound = ".".join(map(str, left)), ".".join(map(str, right))
    assert [holds(f"{op}{bound}", version) for op in ("<", "==", ">")].count(True) == 1
    assert holds(f">={bound}", version) is not holds(f"<{bound}", version)


@given(st.text(max_size=40))
def test_any_text_has_a_release_number(text: str) -> None:
    assert all(number >= 0 for number in release(text))
