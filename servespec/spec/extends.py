"""``extends``: a spec that overrides another, key by key."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from servespec.diagnostics import Diagnostic, Span
from servespec.spec.compose import compose
from servespec.spec.nodes import Entry, Mapping, Node, Scalar
from servespec.spec.problems import problem
from servespec.spec.source import Source, read

MAX_BASES = 8
"""Length of a chain of bases. Teams, environments and regions make three."""

SUFFIXES = (".yaml", ".yml", ".json")


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


def with_bases(root: Node, source: Source) -> tuple[Node, list[Source], list[Diagnostic]]:
    """The root with all its bases below it, the sources of the bases, and what is wrong with them."""
    sources: list[Source] = []
    problems: list[Diagnostic] = []
    seen = {_identity(Path(source.path))}
    result, current, holder = root, root, source
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
        result = override(base_root, result)
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
