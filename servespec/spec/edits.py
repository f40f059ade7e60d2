"""Changes to a spec's text that leave comments, order, quotes and anchors as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from json import dumps

from servespec.diagnostics import Change, Edit, Span
from servespec.spec.nodes import Entry, Mapping, Node, Scalar, locate
from servespec.spec.scalars import resolve_plain
from servespec.spec.source import LINE_BREAK, Source

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")


def written(value: str | int | float | bool | None) -> str:
    """A scalar as YAML: plain where that is safe, in double quotes otherwise."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) is not None and isinstance(resolve_plain(value), str)
        return value if is_plain else "".join(map(_escaped, dumps(value, ensure_ascii=False)))
    return dumps(value)


def _escaped(character: str) -> str:
    """A character of a double-quoted scalar; what YAML takes no other way is escaped."""
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def edits_of(change: Change, root: Node | None, source: Source) -> tuple[Edit, ...]:
    """What a change means in this text; empty where it cannot be made here (the key is in a base, or an alias)."""
    if not isinstance(root, Mapping):
        return ()
    place = locate(root, change.key)
    if place is None:
        return ()
    if change.remove or change.rename is not None:
        entry = _entry(root, change.key)
        if not place.exact or place.file != source.path or entry is None:
            return ()
        if change.rename is not None:
            return (Edit(entry.key.span, written(change.rename), change.safe),)
        return _removal(root, change, entry, source)
    if place.exact:
        node = place.value
        if node.file != source.path or not isinstance(node, Scalar):
            return ()
        text = written(change.value)
        is_absent = node.plain and node.text == ""
        return (Edit(node.span, f" {text}" if is_absent else text, change.safe),)
    return _insertion(root, change, source)


def _entry(root: Mapping, key: str) -> Entry | None:
    parent = _parent(root, key)
    if parent is None:
        return None
    mapping, name = parent
    return mapping.entries.get(name)


def _parent(root: Mapping, key: str) -> tuple[Mapping, str] | None:
    """The mapping that holds the key, and the key's name in it (which may have dots)."""
    parts = key.split(".")
    for length in range(len(parts) - 1, -1, -1):
        place = locate(root, ".".join(parts[:length])) if length else None
        node = root if length == 0 else place.value if place and place.exact else None
        name = ".".join(parts[length:])
        if isinstance(node, Mapping) and name in node.entries:
            return node, name
    return None


def _removal(root: Mapping, change: Change, entry: Entry, source: Source) -> tuple[Edit, ...]:
    parent = _parent(root, change.key)
    if parent is None or parent[0].is_alias:
        return ()
    mapping = parent[0]
    own = [e for e in mapping.entries.values() if e.key.file == source.path]
    end = entry.value.span
    if not mapping.is_flow:
        if len(own) == 1:
            # the parent would be left without a value, which is the same as absent
            return (
                (Edit(_between(entry.key.span, end), "{}", change.safe),)
                if mapping is root
                else _drop(entry, source, change)
            )
        return _drop(entry, source, change)
    position = own.index(entry)
    if position + 1 < len(own):
        following = own[position + 1].key.span
        return (
            Edit(
                Span(entry.key.span.line, entry.key.span.column, following.line, following.column),
                "",
                change.safe,
            ),
        )
    if position:
        before = own[position - 1].value.span
        return (
            Edit(Span(before.end_line, before.end_column, end.end_line, end.end_column), "", change.safe),
        )
    return (Edit(_between(entry.key.span, end), "", change.safe),)


def _drop(entry: Entry, source: Source, change: Change) -> tuple[Edit, ...]:
    """The whole lines of an entry of a block mapping, its trailing comment with it."""
    start, end = entry.key.span, entry.value.span
    lines = LINE_BREAK.split(source.text)
    before = lines[start.line - 1][: start.column - 1]
    last = end.end_line if end.end_column > 1 else end.end_line - 1
    if before.strip():  # the first key after '- ' or '? '
        return ()
    if last < len(lines):
        return (Edit(Span(start.line, 1, last + 1, 1), "", change.safe),)
    return (Edit(Span(start.line, 1, last, len(lines[last - 1]) + 1), "", change.safe),)


def _between(start: Span, end: Span) -> Span:
    return Span(start.line, start.column, end.end_line, end.end_column)


def _insertion(root: Mapping, change: Change, source: Source) -> tuple[Edit, ...]:
    """A key that is not there, put at the end of the nearest mapping that is."""
    parts = change.key.split(".")
    for length in range(len(parts) - 1, -1, -1):
        place = locate(root, ".".join(parts[:length])) if length else None
        node: Node | None = root if length == 0 else place.value if place and place.exact else None
        if node is not None:
            rest = parts[length:]
            break
    else:
        return ()
    if not isinstance(node, Mapping) or node.is_alias or node.file != source.path:
        return ()
    own = [entry for entry in node.entries.values() if entry.key.file == source.path]
    if node.is_flow:
        text = _flow(rest, change)
        if own:
            end = own[-1].value.span
            return (
                Edit(
                    Span(end.end_line, end.end_column, end.end_line, end.end_column), f", {text}", change.safe
                ),
            )
        return (Edit(node.span, f"{{{text}}}", change.safe),)
    if not own:
        return ()
    return _append(own, rest, change, source)


def _flow(parts: list[str], change: Change) -> str:
    text = written(change.value)
    for name in reversed(parts[1:]):
        text = f"{{{written(name)}: {text}}}"
    return f"{written(parts[0])}: {text}"


def _append(own: list[Entry], parts: list[str], change: Change, source: Source) -> tuple[Edit, ...]:
    """New lines below a block mapping, indented like its keys."""
    lines = LINE_BREAK.split(source.text)
    newline = "\r\n" if "\r\n" in source.text else "\n"
    column = own[0].key.span.column - 1
    end = own[-1].value.span
    last = end.end_line if end.end_column > 1 or end.end_line == own[-1].key.span.line else end.end_line - 1
    text = (
        newline.join(f"{' ' * (column + 2 * depth)}{written(name)}:" for depth, name in enumerate(parts))
        + f" {written(change.value)}"
    )
    if last < len(lines):
        return (Edit(Span(last + 1, 1, last + 1, 1), text + newline, change.safe),)
    width = len(lines[last - 1]) + 1
    return (Edit(Span(last, width, last, width), newline + text, change.safe),)


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; of two that overlap the first in the text is made."""
    starts = [0, *(match.end() for match in LINE_BREAK.finditer(text))]

    def offset(line: int, column: int) -> int:
        return min(starts[line - 1] + column - 1, len(text)) if line <= len(starts) else len(text)

    spots = sorted(
        {
            (offset(e.span.line, e.span.column), offset(e.span.end_line, e.span.end_column), e.text)
            for e in edits
        }
    )
    pieces, position = [], 0
    for start, end, replacement in spots:
        if start < position:
            continue
        pieces += [text[position:start], replacement]
        position = end
    return "".join([*pieces, text[position:]])
