"""Nodes of a spec: values that know their file, line and column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, Union

from servespec.diagnostics import Span
from servespec.spec.scalars import ScalarValue


class Scalar(NamedTuple):
    """A leaf. ``text`` is as written without quotes, ``value`` what YAML 1.2 makes of it."""

    text: str
    value: ScalarValue
    plain: bool
    span: Span
    file: str
    is_alias: bool = False
    size: int = 1


class Entry(NamedTuple):
    """A key with its value. The key's own file is where a merged mapping has it from."""

    key: Scalar
    value: Node


class Mapping(NamedTuple):
    """Keys in the order of the file; ``size`` counts all nodes below with aliases expanded."""

    entries: dict[str, Entry]
    span: Span
    file: str
    is_flow: bool = False
    is_alias: bool = False
    size: int = 1


class Sequence(NamedTuple):
    """Items in the order of the file."""

    items: tuple[Node, ...]
    span: Span
    file: str
    is_alias: bool = False
    size: int = 1


Node: TypeAlias = Union[Scalar, Mapping, Sequence]  # noqa: UP007 (a forward reference for the classes above)


class Place(NamedTuple):
    """Where a dotted key is: its file, the key's span, the value."""

    file: str
    span: Span
    value: Node
    exact: bool


def _step(mapping: Mapping, parts: list[str]) -> tuple[Entry, int] | None:
    """The entry that begins the path; a key of a mapping may itself hold dots."""
    for length in range(len(parts), 0, -1):
        entry = mapping.entries.get(".".join(parts[:length]))
        if entry is not None:
            return entry, length
    return None


def locate(root: Node | None, key: str | None) -> Place | None:
    """Where a dotted key stands, or the nearest mapping around it that is there (``exact`` is then False).

    ``targets.vllm.args.tp`` gives the span of the word ``tp``; items of a list are named by their
    index. None where there are no nodes at all.
    """
    if root is None:
        return None
    node = root
    first = next(iter(root.entries.values()), None) if isinstance(root, Mapping) else None
    place = (
        Place(first.key.file, first.key.span, root, False)
        if first
        else Place(root.file, root.span, root, False)
    )
    parts = key.split(".") if key else []
    while parts:
        if isinstance(node, Mapping):
            found = _step(node, parts)
            if found is None:
                return place._replace(exact=False)
            entry, length = found
            node, parts = entry.value, parts[length:]
            place = Place(entry.key.file, entry.key.span, node, True)
        elif isinstance(node, Sequence) and parts[0].isdecimal() and int(parts[0]) < len(node.items):
            node, parts = node.items[int(parts[0])], parts[1:]
            place = Place(node.file, node.span, node, True)
        else:
            return place._replace(exact=False)
    return place


def kind(node: Node) -> Literal["mapping", "list", "text", "integer", "number", "boolean", "nothing"]:
    """What a person calls the value."""
    if isinstance(node, Mapping):
        return "mapping"
    if isinstance(node, Sequence):
        return "list"
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "text"


def walk(node: Node, prefix: str = "") -> Iterator[tuple[str, Entry]]:
    """All entries below, each with its dotted key, in the order of the file."""
    if isinstance(node, Mapping):
        for name, entry in node.entries.items():
            key = f"{prefix}{name}"
            yield key, entry
            yield from walk(entry.value, f"{key}.")
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from walk(item, f"{prefix}{index}.")


def plain(node: Node) -> object:
    """The node as data. Keys that are null are left out, lists become tuples."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return tuple(plain(item) for item in node.items)
    data: dict[str, object] = {}
    for name, (_, value) in node.entries.items():
        if not isinstance(value, Scalar):
            data[name] = plain(value)
        elif value.value is not None:
            data[name] = value.value
    return data
