"""What pydantic says of a spec becomes findings: one for each place, with the way out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from servespec.diagnostics import Diagnostic, Edit, Fix
from servespec.spec import wording as words
from servespec.spec.model import Spec
from servespec.spec.nodes import Entry, Mapping, Node, Scalar, Sequence
from servespec.spec.problems import MAX_PROBLEMS, nearest, problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class _At(NamedTuple):
    """Where an error stands: the path that exists, its entry and value, and what pydantic adds to it."""

    path: tuple[str | int, ...]
    rest: tuple[str | int, ...]
    entry: Entry | None
    node: Node
    parent: Mapping | None = None


def unknown_name(
    code: str, what: str, entry: Entry, key: str, names: list[str], parent: Mapping | None
) -> Diagnostic:
    """A name that is none of ``names``, with the nearest and the edit where no sibling has it already."""
    close = nearest(entry.key.text, names)
    hint = f"; did you mean {close!r}?" if close else f"; there are {', '.join(names)}" if names else ""
    fix = None
    is_taken = parent is not None and close in parent.entries
    if close and not is_taken and not entry.key.is_alias:
        fix = Fix(f"rename it to {close}", (Edit(entry.key.span, close, safe=False),))
    message = f"no {what} is named {words.shorten(entry.key.text)!r}{hint}"
    return problem(code, message, entry.key.file, entry.key.span, key=key, fix=fix)


def translate(errors: list[ErrorDetails], root: Mapping, data: Any) -> list[Diagnostic]:
    """One diagnostic for each place, in the order of the file; takes what is wrong out of ``data``."""
    found: dict[tuple[str | int, ...], tuple[_At, ErrorDetails]] = {}
    for error in errors:
        at = _walk(root, error["loc"])
        path = (*at.path, *at.rest) if error["type"] in ("missing", "extra_forbidden") else at.path
        found.setdefault(path, (at, error))
    more = len(found) - MAX_PROBLEMS
    for path, (_, error) in found.items():
        if error["type"] != "missing":
            _remove(data, path)
    problems = [_diagnose(at, error) for at, error in list(found.values())[:MAX_PROBLEMS]]
    if more > 0:
        message = f"{more:,} further mistakes of the same kinds are not shown"
        problems.append(problem("SV003", message, root.file, _first_key(root).span))
    return sorted(problems, key=lambda p: (p.span.line, p.span.column) if p.span else (0, 0))


def _walk(root: Mapping, loc: tuple[str | int, ...]) -> _At:
    node: Node = root
    entry: Entry | None = None
    parent: Mapping | None = None
    for index, part in enumerate(loc):
        if isinstance(node, Mapping) and str(part) in node.entries:
            parent, entry = node, node.entries[str(part)]
            node = entry.value
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return _At(loc[:index], loc[index:], entry, node, parent)
    return _At(loc, (), entry, node, parent)


def _remove(data: Any, path: tuple[str | int, ...]) -> None:
    """Take a key out; of a list with a wrong item the whole list goes."""
    for index, part in enumerate(path):
        if not isinstance(data, dict) or part not in data:
            return
        if index == len(path) - 1 or not isinstance(data[part], dict):
            del data[part]
            return
        data = data[part]


def _diagnose(at: _At, error: ErrorDetails) -> Diagnostic:
    key = ".".join(str(part) for part in at.path)
    if error["type"] == "missing":  # or null, which is the same
        path = (*at.path, *at.rest)
        missing = ".".join(str(part) for part in path)
        place = at.entry.key if at.entry else _first_key(at.node)
        hint = words.hint(words.field_at(path))
        return problem("SV011", f"{missing} is missing{hint}", place.file, place.span, key=missing)
    if error["type"] == "extra_forbidden" and at.entry is not None:
        return _unknown_key(at)
    if at.rest == ("[key]",) and at.entry is not None:
        message = f"{at.entry.key.text!r} is no name of a variable: letters, digits and '_', no digit first"
        return problem("SV013", message, at.entry.key.file, at.entry.key.span, key=key)
    expected, code = words.expected(error, words.field_at(at.path))
    message = f"{key} is {words.found(at.node, key)}; expected {expected}"
    fix = (
        words.nearest_choice(at.node, error)
        if error["type"] == "literal_error"
        else words.fix_of(at.node, expected)
    )
    if fix is not None and not fix.edits[0].safe:
        message += f"; did you mean {fix.edits[0].text}?"
    return problem(code, message, at.node.file, at.node.span, key=key, fix=fix)


def _first_key(node: Node) -> Scalar | Node:
    return next(iter(node.entries.values())).key if isinstance(node, Mapping) and node.entries else node


def _unknown_key(at: _At) -> Diagnostic:
    assert at.entry is not None
    section = at.path[:-1]
    model = words.section_at(section)
    names = list(model.model_fields) if model else []
    what = f"key of {'.'.join(str(part) for part in section)}" if section else "key"
    key = ".".join(map(str, at.path))
    finding = unknown_name("SV010", what, at.entry, key, names, at.parent)
    elsewhere = [
        f"{name}.{at.entry.key.text}"
        for name in Spec.model_fields
        if (other := words.section_at((name,))) is not None and at.entry.key.text in other.model_fields
    ]
    if "did you mean" in finding.message or not elsewhere:
        return finding
    message = f"no {what} is named {at.entry.key.text!r}; did you mean {elsewhere[0]}?"
    return replace(finding, message=message)
