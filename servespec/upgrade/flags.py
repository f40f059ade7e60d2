"""What changed between the flags of two releases of one engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from servespec.engines.flag_catalogue import Flag, FlagCatalogue, Json
from servespec.engines.flag_successors import successor
from servespec.engines.flag_words import canonical


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One flag that is not the same: ``kind`` is added, removed, deprecated, default, choices, value or spelling."""

    kind: str
    name: str
    message: str


_ORDER = ("removed", "deprecated", "value", "choices", "spelling", "default", "added")


def flag_changes(old: FlagCatalogue, new: FlagCatalogue) -> tuple[FlagChange, ...]:
    """All changes from ``old`` to ``new``, what breaks a command first."""
    found = [*_gone(old, new), *_kept(old, new), *_came(old, new)]
    return tuple(sorted(found, key=lambda change: (_ORDER.index(change.kind), change.name)))


def _gone(old: FlagCatalogue, new: FlagCatalogue) -> Iterator[FlagChange]:
    for flag in old.flags.values():
        if flag.is_positional or counterpart(flag, new) is not None:
            continue
        until = next((s.until for s in reversed(old.history(flag.spellings[0])) if s.until), None)
        instead = successor(new, flag.name)
        hint = f": {instead.words}" if instead is not None else ""
        since = f" in {until}" if until else ""
        yield FlagChange("removed", flag.name, f"{canonical(old, flag)} was removed{since}{hint}")


def _came(old: FlagCatalogue, new: FlagCatalogue) -> Iterator[FlagChange]:
    for flag in new.flags.values():
        if not flag.is_positional and counterpart(flag, old) is None:
            default = "" if flag.default is None or flag.kind == "bool" else f", default {shown(flag)}"
            yield FlagChange("added", flag.name, f"{canonical(new, flag)} is new ({flag.kind}{default})")


def _kept(old: FlagCatalogue, new: FlagCatalogue) -> Iterator[FlagChange]:
    for before in old.flags.values():
        after = counterpart(before, new)
        if after is None or before.is_positional:
            continue
        word = canonical(new, after)
        if after.deprecated is not None and before.deprecated is None:
            instead = f": use {after.deprecated}" if after.deprecated else ""
            kind = "removed" if after.action == "refused" else "deprecated"
            yield FlagChange(
                kind, after.name, f"{word} is {'retired' if kind == 'removed' else kind}{instead}"
            )
        if before.kind != after.kind:
            yield FlagChange("value", after.name, f"{word} takes {after.kind} instead of {before.kind}")
        was, now = (tuple(map(str, choices or ())) for choices in (before.choices, after.choices))
        gone = [choice for choice in was if after.choices is not None and choice not in now]
        came = [choice for choice in now if before.choices is not None and choice not in was]
        if gone or came:
            parts = [f"no longer takes {', '.join(gone)}"] if gone else []
            parts += [f"takes {', '.join(came)}"] if came else []
            yield FlagChange("choices", after.name, f"{word} {' and '.join(parts)}")
        lost = [s for s in before.spellings if s not in {*after.spellings, *after.negations}]
        if lost:
            yield FlagChange("spelling", after.name, f"{', '.join(lost)} is no longer a spelling of {word}")
        if (before.default, before.default_computed) != (after.default, after.default_computed):
            message = f"{word}: the default was {shown(before)} and is {shown(after)}"
            yield FlagChange("default", after.name, message)


def counterpart(flag: Flag, catalogue: FlagCatalogue) -> Flag | None:
    """The flag of another release that one of this flag's spellings gives."""
    for spelling in flag.spellings:
        name = catalogue.spellings.get(spelling)
        if name is not None and spelling not in catalogue.flags[name].negations:
            return catalogue.flags[name]
    return catalogue.flags.get(flag.name) if flag.is_positional else None


def shown(flag: Flag) -> str:
    """A flag's default for people."""
    return "computed" if flag.default_computed else _text(flag.default)


def _text(value: Json) -> str:
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
