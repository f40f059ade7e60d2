"""Order of SGLang releases, post releases included: behaviour changed between them."""

from __future__ import annotations

from typing import TypeVar

from servespec.rules.versions import version_key

T = TypeVar("T")


def is_since(version: str, first: str) -> bool:
    """Whether ``version`` is ``first`` or later: ``0.4.6.post4`` comes after ``0.4.6``."""
    return version_key(version) >= version_key(first)


def newest_row(table: tuple[tuple[str, T], ...], version: str) -> T:
    """The value of the last row (ordered by first release) that has come by ``version``."""
    rows = [value for first, value in table if is_since(version, first)]
    return rows[-1] if rows else table[0][1]
