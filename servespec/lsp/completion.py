"""What may be written at the cursor: keys, flags of the named version, values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lsprotocol.types import CompletionItem, CompletionItemKind

from servespec.lsp.context import Context, context_at
from servespec.lsp.language import described, keys_at, schema_at, values_of

_VERSION = re.compile(r"\bversion\s*:\s*[\"']?([\w.+-]+)")


def complete(lines: Sequence[str], line: int, column: int) -> list[CompletionItem]:
    """The items for a cursor before code point ``column`` of ``line``, both from 0."""
    here = context_at(lines, line, column)
    items = _values(lines, here) if here.key else _keys(lines, here)
    return [item for item in items if item.label not in here.present]


def _keys(lines: Sequence[str], here: Context) -> Iterator[CompletionItem]:
    if len(here.path) == 3 and here.path[0] == "targets" and here.path[2] == "args":
        yield from _flags(here.path[1], version_of(lines, here.path[1]))
        return
    for name, schema in keys_at(here.path).items():
        yield CompletionItem(
            label=name,
            kind=CompletionItemKind.Property,
            detail=described(schema),
            insert_text=f"{name}: ",
        )


def _flags(engine: str, version: str) -> Iterator[CompletionItem]:
    from servespec.engines import engine_names
    from servespec.engines.flag_catalogue import load

    if engine not in engine_names():
        return
    catalogue = load(engine, version)
    for name in catalogue.flags:
        flag = catalogue.flags[name]
        if flag.is_positional:
            continue
        default = "" if flag.default is None or flag.default_computed else f", {flag.default} by default"
        choices = f": {', '.join(map(str, flag.choices))}" if flag.choices else ""
        yield CompletionItem(
            label=name,
            kind=CompletionItemKind.Field,
            detail=f"{flag.spellings[0]} ({flag.kind}{default}){choices}",
            insert_text=f"{name}: ",
            deprecated=flag.deprecated is not None,
        )


def _values(lines: Sequence[str], here: Context) -> Iterator[CompletionItem]:
    for word in _words(lines, here):
        yield CompletionItem(label=word, kind=CompletionItemKind.Value)


def _words(lines: Sequence[str], here: Context) -> Sequence[str]:
    assert here.key is not None
    path = (*here.path, here.key)
    if path == ("hardware", "gpu"):
        from servespec.hardware.catalogue import gpus

        return ["local", "cpu", *(gpu.name for gpu in gpus())]
    if path == ("model", "id"):
        from servespec.models.sources.catalogue import ids

        return ids()
    if len(path) == 3 and path[0] == "targets" and path[2] == "version":
        from servespec.engines import engine_names
        from servespec.engines.flag_catalogue import known_versions

        return known_versions(path[1])[::-1] if path[1] in engine_names() else ()
    if len(path) == 4 and path[0] == "targets" and path[2] == "args":
        return _flag_values(path[1], version_of(lines, path[1]), path[3])
    schema = schema_at(path)
    return values_of(schema) if schema else ()


def _flag_values(engine: str, version: str, name: str) -> Sequence[str]:
    from servespec.engines import engine_names
    from servespec.engines.flag_catalogue import load

    if engine not in engine_names():
        return ()
    flag = load(engine, version).get(name)
    if flag is None:
        return ()
    if flag.kind in ("bool", "boolish"):
        return ("true", "false")
    return [str(value) for value in flag.choices or flag.values or () if value is not None]


def version_of(lines: Sequence[str], engine: str) -> str:
    """The version that a text names for an engine; ``newest`` when it names none."""
    for number, text in enumerate(lines):
        if not re.match(rf"[ ]*{re.escape(engine)}[ ]*:", text):
            continue
        inline = _VERSION.search(text)
        if inline:
            return inline[1]
        indent = len(text) - len(text.lstrip(" "))
        for below in lines[number + 1 :]:
            if below.strip() and len(below) - len(below.lstrip(" ")) <= indent:
                break
            found = _VERSION.match(below.strip())
            if found:
                return found[1]
    return "newest"
