"""Settings written as a command line, in words that the engine's own parser reads back as the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from servespec.engines.flag_values import word_of

if TYPE_CHECKING:
    from servespec.engines.flag_catalogue import Flag, FlagCatalogue

NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")
"""What begins with a dash and is a value all the same."""


def canonical(catalogue: FlagCatalogue, flag: Flag) -> str:
    """The word to write for a flag: the long spelling that most releases have, the shortest of several such."""
    visible = [s for s in flag.spellings if s.startswith("--") and s not in flag.hidden] or list(
        flag.spellings
    )
    if len(visible) == 1:
        return visible[0]

    def releases(spelling: str) -> int:
        from servespec.engines.flag_catalogue import known_versions

        order = {release: at for at, release in enumerate(known_versions(catalogue.engine))}
        spans = catalogue.history(spelling)
        return sum((order[s.until] if s.until else len(order)) - order[s.since] for s in spans)

    return min(visible, key=lambda spelling: (-releases(spelling), len(spelling)))


def write(catalogue: FlagCatalogue, values: Mapping[str, object]) -> tuple[str, ...]:
    """See `FlagCatalogue.argv`."""
    words: list[str] = []
    for name, value in values.items():
        flag = catalogue.get(name)
        if flag is None:
            raise KeyError(name)
        if value is not None:
            words += _words(catalogue, flag, value)
    return tuple(words)


def _words(catalogue: FlagCatalogue, flag: Flag, value: object) -> list[str]:
    if flag.is_positional:
        return [str(value)]
    spelling = canonical(catalogue, flag)
    if flag.kind == "bool":
        is_on = value is True or str(value).lower() == "true"
        if is_on:
            return [spelling]
        return [flag.negation] if flag.negation is not None else []
    if flag.action == "boolish":
        return [spelling] if value is True else [f"{spelling}={word_of(flag, value)}"]
    if flag.nargs == "?" and value == flag.const and not isinstance(value, str):
        return [spelling]
    items = list(value) if isinstance(value, list | tuple) and _is_list(flag) else [value]
    parts = [word_of(flag, item) for item in items]
    if flag.action == "append":
        parts = [flag.delimiter.join(parts)] if flag.delimiter else parts
        return [word for part in parts for word in _pair(spelling, part)]
    if _is_list(flag) and len(parts) != 1:
        return [spelling, *parts]
    return _pair(spelling, parts[0])


def _is_list(flag: Flag) -> bool:
    return flag.action == "append" or flag.nargs in ("+", "*") or isinstance(flag.nargs, int)


def _pair(spelling: str, part: str) -> list[str]:
    is_value = part != "" and (not part.startswith("-") or NEGATIVE.fullmatch(part) is not None)
    return [spelling, part] if is_value else [f"{spelling}={part}"]
