"""Nodes become a :class:`Spec`, or findings that say what was found, what was expected and where."""

from __future__ import annotations

from typing import Any, NamedTuple

from servespec.diagnostics import Diagnostic, Edit, Fix, Severity, Span
from servespec.engines import engine_names
from servespec.spec.model import Spec
from servespec.spec.nodes import Mapping, Node, Scalar, plain
from servespec.spec.problems import problem


class Validated(NamedTuple):
    """``spec`` is None when anything is wrong; ``partial`` is what is left without the wrong keys."""

    spec: Spec | None
    partial: Spec | None
    problems: list[Diagnostic]


def validate(root: Node) -> Validated:
    """Hold the nodes against the language."""
    from pydantic import ValidationError

    if not isinstance(root, Mapping):
        from servespec.spec import wording as words

        message = f"a spec is a mapping that begins with 'servespec: v1', found {words.found(root, '')}"
        return Validated(None, None, [problem("SV004", message, root.file, root.span)])
    data: Any = plain(root)
    problems = _unknown_engines(root, data)
    warnings = _null_targets(root)
    try:
        spec = Spec.model_validate(data)
    except ValidationError as error:
        from servespec.spec.mistakes import translate

        problems += translate(error.errors(include_url=False, include_input=False), root, data)
        return Validated(None, _partial(data), problems + warnings)
    return Validated(None if problems else spec, spec, problems + warnings)


def _partial(data: Any) -> Spec | None:
    """What is left of a spec once the wrong keys are gone, to find in the same run what else is wrong."""
    from pydantic import ValidationError

    data.setdefault("servespec", "v1")
    data.setdefault("name", "unnamed")
    try:
        return Spec.model_validate(data)
    except ValidationError:
        return None


def _unknown_engines(root: Mapping, data: Any) -> list[Diagnostic]:
    targets = root.entries.get("targets")
    if targets is None or not isinstance(targets.value, Mapping):
        return []
    problems = []
    entries = targets.value.entries
    for name, entry in entries.items():
        if name not in engine_names():
            from servespec.spec.mistakes import unknown_name

            names = list(engine_names())
            problems.append(unknown_name("SV014", "engine", entry, f"targets.{name}", names, targets.value))
            data["targets"].pop(name, None)
    return problems


def _null_targets(root: Mapping) -> list[Diagnostic]:
    """Targets without a value, which choose nothing though they look like it."""
    targets = root.entries.get("targets")
    if targets is None or not isinstance(targets.value, Mapping):
        return []
    return [
        problem(
            "SV018",
            f"targets.{name} is null, which is the same as absent",
            entry.key.file,
            entry.key.span,
            key=f"targets.{name}",
            fix=Fix(f"write {name}: {{}}", (Edit(entry.value.span, "{}" if entry.value.text else " {}"),)),
            severity=Severity.warning,
        )
        for name, entry in targets.value.entries.items()
        if isinstance(entry.value, Scalar) and entry.value.value is None and entry.value.file == root.file
    ]


def empty_document(file: str) -> Diagnostic:
    """The finding for a file in which nothing is written."""
    return problem("SV004", "the file is empty; a spec begins with 'servespec: v1'", file, Span(1, 1, 1, 1))
