"""Which versions a rule holds for: specifiers like ``>=0.10,<0.21`` over release numbers."""

from __future__ import annotations

from functools import lru_cache

_OPERATORS = (">=", "<=", "==", "!=", ">", "<")


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
