"""What took the place of flags that are gone: ``<engine>/flags/successors.json``, each with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servespec.engines.flag_catalogue import FlagCatalogue


_VALUE = "$value"


@dataclass(frozen=True, slots=True)
class Successor:
    """Flags to give in the place of another, or none; ``words`` say it to a person.

    ``give`` maps a flag to its value, in which ``$value`` is the old flag's and ``$name`` that of the flag ``name``.
    """

    give: Mapping[str, Any]
    words: str

    def values(self, value: Any, others: Mapping[str, Any]) -> dict[str, Any] | None:
        """The new flags for an old value; None when a value that they need is not known."""
        try:
            return {name: _fill(item, value, others) for name, item in self.give.items()}
        except KeyError:
            return None


def _fill(item: Any, value: Any, others: Mapping[str, Any]) -> Any:
    if isinstance(item, Mapping):
        return {key: _fill(inner, value, others) for key, inner in item.items()}
    if item == _VALUE:
        return value
    return others[item[1:]] if isinstance(item, str) and item.startswith("$") else item


@cache
def _table(engine: str) -> Mapping[str, Mapping[str, Any]]:
    path = Path(__file__).with_name(engine) / "flags" / "successors.json"
    table: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text("utf-8"))
    return table


def successor(catalogue: FlagCatalogue, name: str) -> Successor | None:
    """What a version has in the place of a flag that is gone from it; None when nothing is known."""
    snake = name.lstrip("-").replace("-", "_")
    row = _table(catalogue.engine).get(snake)
    if row is not None and "drop" in row:
        return Successor({}, f"leave it out, {row['drop']}")
    if row is not None and all(_takes(catalogue, *pair) for pair in row["give"].items()):
        return Successor(row["give"], f"give {_words(row['give'])}")
    if row is not None and len(row["give"]) == 1:
        return successor(catalogue, next(iter(row["give"])))
    named = catalogue.replacement(snake)
    return Successor({named: _VALUE}, f"give {named}") if named is not None and row is None else None


def keys_instead(catalogue: FlagCatalogue, name: str, value: Mapping[str, Any]) -> dict[str, Any] | None:
    """A flag's JSON with what took the place of the keys that this version does not have (``FLAG.KEY`` in the table).

    A row with ``when`` is for that value alone, one without for every value but false; else the key is left out.
    None where a key has no such row.
    """
    flag = catalogue.get(name)
    known = (flag.keys if flag is not None else None) or ()
    found: dict[str, Any] = {}
    for key, item in value.items():
        row = _table(catalogue.engine).get(f"{name}.{key}")
        if key in known:
            found[key] = _plain(item)
        elif row is None or not set(row["give"]) <= {*known}:
            return None
        elif item == row["when"] if "when" in row else item is not False:
            found |= {new: _fill(given, item, {}) for new, given in row["give"].items() if new not in value}
    return found


def _plain(value: Any) -> Any:
    """A frozen value as YAML's writer takes it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _takes(catalogue: FlagCatalogue, name: str, value: Any) -> bool:
    """Whether the version has the flag, and the keys of it that are to be given."""
    flag = catalogue.get(name)
    if flag is None:
        return False
    return not isinstance(value, Mapping) or not flag.closed or set(value) <= set(flag.keys or ())


def _words(give: Mapping[str, Any], prefix: str = "") -> str:
    parts = []
    for name, value in give.items():
        if isinstance(value, Mapping):
            parts.append(_words(value, f"{prefix}{name}."))
        elif isinstance(value, str) and value.startswith("$"):
            parts.append(f"{prefix}{name}" + ("" if value == _VALUE else f" (as {value[1:]})"))
        else:
            parts.append(f"{prefix}{name}: {value}")
    return ", ".join(parts)
