"""Versions, read in two ways on purpose, here and nowhere else.

`version_key` orders what engines publish, post releases and pre-releases apart: flags and defaults have changed
between them (SGLang 0.4.6.post4). `release` is the number of the whole release, over which rules hold by specifiers
like ``>=0.10,<0.21``: a rule that is true of 0.10.1 is true of its candidates, builds and post releases.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBERS = re.compile(r"v?(\d+(?:\.\d+)*)(?:[.-]?post(\d+))?(.*)")
_EARLIER = re.compile(r"[.-]?(a|b|rc|dev|alpha|beta|pre)\d*")
_OPERATORS = (">=", "<=", "==", "!=", ">", "<")


@lru_cache(maxsize=1024)
def version_key(version: str) -> tuple[int, ...]:
    """Order of versions: four numbers and the post number; a pre-release comes before its release.

    Raises ValueError when the text does not begin with a number.
    """
    match = _NUMBERS.match(version)
    if match is None:
        raise ValueError(f"{version!r} is no version")
    numbers = [int(part) for part in match[1].split(".")][:4]
    is_earlier = _EARLIER.match(match[3] or "") is not None
    return (*numbers, *([0] * (4 - len(numbers))), -1 if is_earlier else int(match[2] or 0))


def is_release(version: str) -> bool:
    """Whether the text is a release's number, with or without the name of a build (``0.11.0+cpu``)."""
    match = _NUMBERS.match(version)
    return match is not None and (match[3] == "" or match[3].startswith(("+", "-")))


@lru_cache(maxsize=512)
def release(version: str) -> tuple[int, ...]:
    """The release number as a tuple without trailing zeros: ``0.10.1.post2`` is (0, 10, 1).

    Suffixes of any kind (rc, post, dev, local) are left out: a rule holds for a whole release.
    """
    numbers: list[int] = []
    for part in version.removeprefix("v").replace("+", ".").replace("-", ".").split("."):
        digits = ""
        for character in part:
            if not (character.isascii() and character.isdigit()):
                break
            digits += character
        if not digits or len(digits) > 9:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


@lru_cache(maxsize=4096)
def holds(specifier: str, version: str) -> bool:
    """Whether ``version`` meets every clause of ``specifier``; the empty specifier always holds.

    Raises ValueError for a clause that is none.
    """
    number = release(version)
    return all(_clause_holds(clause.strip(), number) for clause in specifier.split(",") if clause.strip())


def _clause_holds(clause: str, number: tuple[int, ...]) -> bool:
    for operator in _OPERATORS:
        if clause.startswith(operator):
            bound = release(clause.removeprefix(operator).strip())
            break
    else:
        raise ValueError(f"{clause!r} is no version clause such as '>=0.10'")
    if operator == ">=":
        return number >= bound
    if operator == "<=":
        return number <= bound
    if operator == "==":
        return number == bound
    if operator == "!=":
        return number != bound
    if operator == ">":
        return number > bound
    return number < bound
