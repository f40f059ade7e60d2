"""The committed form of a catalogue: rows of [name, since, until, properties], one a line.

`until` is the first release without the row (null: still there). A flag whose properties change from one release
to the next has one row for each stretch of releases, so that the file stays small and its history readable.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FLAGS_DIR = Path(__file__).resolve().parents[2] / "servespec" / "engines"
# What a property is when a row does not say.
USUAL: Row = {
    "negations": [], "hidden": [], "action": "store", "kind": "str", "optional": False, "choices": None,
    "values": None, "nargs": None, "const": None, "default": None, "computed": False, "required": False,
    "deprecated": None, "field": None, "env": None, "range": None, "keys": None, "closed": False,
    "delimiter": None,
}  # fmt: skip


def slim(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in USUAL or value != USUAL[key]}


def intervals(
    releases: list[str], present: dict[str, dict[str, Any]]
) -> list[tuple[str, str, str | None, Any]]:
    """Turn {release: {name: properties}} into (name, since, until, properties), sorted by name and release."""
    found: list[tuple[str, str, str | None, Any]] = []
    names = sorted({name for flags in present.values() for name in flags})
    for name in names:
        start: str | None = None
        held: Any = None
        for release in releases:
            properties = present[release].get(name, _ABSENT)
            if properties == held and start is not None:
                continue
            if start is not None:
                found.append((name, start, release, held))
            start, held = (None, None) if properties is _ABSENT else (release, properties)
        if start is not None:
            found.append((name, start, None, held))
    return found


_ABSENT = object()


def expand(releases: list[str], rows: list[list[Any]]) -> dict[str, dict[str, Any]]:
    """The inverse of `intervals`."""
    present: dict[str, dict[str, Any]] = {release: {} for release in releases}
    for name, since, until, properties in rows:
        last = releases.index(until) if until else len(releases)
        for release in releases[releases.index(since) : last]:
            present[release][name] = properties
    return present


def write_rows(path: Path, head: Row, rows: list[tuple[str, str, str | None, Any]]) -> None:
    """Write a catalogue file: `head`'s entries, then one row a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    text = "{\n" + ",\n".join(lines) + ',\n"rows": [\n' + body + "\n]}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def read_rows(path: Path) -> Row:
    if not path.exists():
        return {"releases": [], "rows": []}
    return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]
