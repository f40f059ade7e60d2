"""``extends``: a spec that overrides another, key by key."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from servespec.diagnostics import Diagnostic, Span
from servespec.spec.compose import compose
from servespec.spec.nodes import Entry, Mapping, Node, Scalar, plain
from servespec.spec.problems import problem
from servespec.spec.source import Source, read

MAX_BASES = 8
"""Length of a chain of bases. Teams, environments and regions make three."""

SUFFIXES = (".yaml", ".yml", ".json")

_FILES: tuple[tuple[str, ...], ...] = (("model", "config"), ("speculative", "config"))
"""Keys that hold a path and nothing else."""
_FOLDERS_OR_IDS: tuple[tuple[str, ...], ...] = (
    ("model", "id"),
    ("model", "adapters", "modules", "*"),
    ("speculative", "model"),
)
"""Keys that hold a path where it begins with '.', else a Hub id."""


def override(base: Node, over: Node, path: tuple[str, ...] = ()) -> Node:
    """``over`` laid upon ``base``: mappings key by key, everything else replaced.

    The values of ``args`` are replaced whole, also where both are mappings: a flag has one value.
    A null in ``over`` takes the base's value away. Every node keeps the place where it was written.
    """
    if not isinstance(base, Mapping) or not isinstance(over, Mapping) or path[-2:-1] == ("args",):
        return over
    entries = dict(base.entries)
    for name, entry in over.entries.items():
        below = entries.get(name)
        value = entry.value if below is None else override(below.value, entry.value, (*path, name))
        entries[name] = Entry(entry.key, value)
    ordered = {
        name: entries[name] for name in (*over.entries, *(n for n in entries if n not in over.entries))
    }
    return over._replace(entries=ordered)


def rebase(root: Node, folder: str) -> Node:
    """The nodes of a base with its relative paths as they read from the folder of the first spec.

    ``folder`` is the base's own folder as that spec names it. The text as written stays, for showing.
    """
    for keys in _FILES:
        root = _at(root, keys, lambda path: _moved(path, folder))
    for keys in _FOLDERS_OR_IDS:
        root = _at(root, keys, lambda name: _moved(name, folder) if name.startswith(".") else name)
    return root


def _moved(path: str, folder: str) -> str:
    if not path or path.startswith("~") or PurePosixPath(path).is_absolute() or Path(path).is_absolute():
        return path
    moved = posixpath.join(folder, path.removeprefix("./"))
    return moved if moved.startswith(".") else f"./{moved}"


def _at(node: Node, keys: tuple[str, ...], change: Callable[[str], str]) -> Node:
    """The nodes with the text under the keys changed; '*' is every key of a mapping."""
    if not keys:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node._replace(value=change(node.value))
        return node
    if not isinstance(node, Mapping):
        return node
    names = list(node.entries) if keys[0] == "*" else [keys[0]] if keys[0] in node.entries else []
    if not names:
        return node
    entries = dict(node.entries)
    for name in names:
        entry = entries[name]
        entries[name] = Entry(entry.key, _at(entry.value, keys[1:], change))
    return node._replace(entries=entries)


def with_bases(root: Node, source: Source) -> tuple[Node, list[Source], list[Diagnostic]]:
    """The root with all its bases below it, the sources of the bases, and what is wrong with them."""
    sources: list[Source] = []
    problems: list[Diagnostic] = []
    seen = {_identity(Path(source.path))}
    result, current, holder, folder = root, root, source, ""
    while isinstance(current, Mapping) and "extends" in current.entries:
        node = current.entries["extends"].value
        if isinstance(node, Scalar) and node.value is None:
            break
        base = _read_base(node, holder, seen, len(sources))
        if isinstance(base, Diagnostic):
            problems.append(base)
            break
        sources.append(base)
        base_root, base_problems = compose(base)
        problems += base_problems
        if not isinstance(base_root, Mapping):
            if not base_problems:
                problems.append(problem("SV004", "a spec is a mapping of keys", base.path, Span(1, 1, 1, 1)))
            break
        below = str(plain(node)).replace(os.sep, "/")
        folder = posixpath.join(folder, posixpath.dirname(below))
        result = override(rebase(base_root, folder) if folder else base_root, result)
        current, holder = base_root, base
    return result, sources, problems


def _read_base(node: Node, holder: Source, seen: set[str], depth: int) -> Source | Diagnostic:
    """The source that an ``extends`` names, or what is wrong with it. Notes its identity in ``seen``."""

    def wrong(message: str) -> Diagnostic:
        return problem("SV007", message, holder.path, node.span, key="extends")

    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return wrong("extends takes the path of one spec, as text")
    text = node.value
    if "\0" in text or PurePosixPath(text).is_absolute() or Path(text).is_absolute() or text.startswith("~"):
        return wrong("extends takes a path relative to this file, so that both can be moved together")
    if not text.endswith(SUFFIXES):
        return wrong(f"extends takes a spec ({', '.join(SUFFIXES)}), found {text!r}")
    path = holder.directory / text
    if _identity(path) in seen:
        return wrong(f"extends {text!r} comes back to a spec that already takes part")
    if depth == MAX_BASES:
        return wrong(f"more than {MAX_BASES} specs extend one another")
    seen.add(_identity(path))
    base = read(str(path))
    return wrong(f"extends {text!r}: {base.message}") if isinstance(base, Diagnostic) else base


def _identity(path: Path) -> str:
    try:
        return str(path.resolve())
    except (OSError, RuntimeError):
        return str(path.absolute())
