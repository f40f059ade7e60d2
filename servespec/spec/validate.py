"""Nodes become a :class:`Spec`, or findings that say what was found, what was expected and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from servespec.diagnostics import Diagnostic, Edit, Fix, Span
from servespec.spec.model import Spec
from servespec.spec.nodes import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from servespec.spec.problems import problem
from servespec.spec.secrets import redact

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


class Validated(NamedTuple):
    """``spec`` is None when anything is wrong; ``partial`` is what is left without the wrong keys."""

    spec: Spec | None
    partial: Spec | None
    problems: list[Diagnostic]


class _At(NamedTuple):
    """Where an error stands: the path that exists, its entry and value, and what pydantic adds to it."""

    path: tuple[str | int, ...]
    rest: tuple[str | int, ...]
    entry: Entry | None
    node: Node


def validate(root: Node) -> Validated:
    """Hold the nodes against the language."""
    from pydantic import ValidationError

    if not isinstance(root, Mapping):
        message = f"a spec is a mapping that begins with 'servespec: v1', found {_found(root, '')}"
        return Validated(None, None, [problem("SV004", message, root.file, root.span)])
    data: Any = plain(root)
    problems = _unknown_engines(root, data)
    try:
        spec = Spec.model_validate(data)
    except ValidationError as error:
        problems += _translate(error.errors(include_url=False, include_input=False), root, data)
        return Validated(None, _partial(data), problems)
    return Validated(None if problems else spec, spec, problems)


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
    from servespec.engines import engine_names

    targets = root.entries.get("targets")
    if targets is None or not isinstance(targets.value, Mapping):
        return []
    problems = []
    for name, entry in targets.value.entries.items():
        if name not in engine_names():
            problems.append(_unknown_name("SV014", "engine", entry, f"targets.{name}", list(engine_names())))
            data["targets"].pop(name, None)
    return problems


def _unknown_name(code: str, what: str, entry: Entry, key: str, names: list[str]) -> Diagnostic:
    from servespec.spec.problems import nearest

    close = nearest(entry.key.text, names)
    hint = f"; did you mean {close!r}?" if close else f"; there are {', '.join(names)}"
    fix = None
    if close and not entry.key.is_alias and close not in names[:0]:
        fix = Fix(f"rename it to {close}", (Edit(entry.key.span, close, safe=False),))
    message = f"no {what} is named {_shorten(entry.key.text)!r}{hint}"
    return problem(code, message, entry.key.file, entry.key.span, key=key, fix=fix)


def _translate(errors: list[ErrorDetails], root: Mapping, data: Any) -> list[Diagnostic]:
    """One diagnostic for each place, in the order of the file; takes what is wrong out of ``data``."""
    found: dict[tuple[str | int, ...], tuple[_At, ErrorDetails]] = {}
    for error in errors:
        at = _walk(root, error["loc"])
        path = (*at.path, *at.rest) if error["type"] in ("missing", "extra_forbidden") else at.path
        found.setdefault(path, (at, error))
    for path, (_, error) in found.items():
        if error["type"] != "missing":
            _remove(data, path)
    problems = [_diagnose(at, error) for at, error in found.values()]
    return sorted(problems, key=lambda p: (p.span.line, p.span.column) if p.span else (0, 0))


def _walk(root: Mapping, loc: tuple[str | int, ...]) -> _At:
    node: Node = root
    entry: Entry | None = None
    for index, part in enumerate(loc):
        if isinstance(node, Mapping) and str(part) in node.entries:
            entry = node.entries[str(part)]
            node = entry.value
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return _At(loc[:index], loc[index:], entry, node)
    return _At(loc, (), entry, node)


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
    if error["type"] == "missing":
        name = str(at.rest[0])
        place = at.entry.key if at.entry else _first_key(at.node)
        missing = f"{key}.{name}" if key else name
        hint = _hint(_field((*at.path, name)))
        return problem("SV011", f"{missing} is missing{hint}", place.file, place.span, key=missing)
    if error["type"] == "extra_forbidden" and at.entry is not None:
        return _unknown_key(at)
    if at.rest == ("[key]",) and at.entry is not None:
        message = f"{at.entry.key.text!r} is no name of a variable: letters, digits and '_', no digit first"
        return problem("SV013", message, at.entry.key.file, at.entry.key.span, key=key)
    expected, code = _expected(error, _field(at.path))
    message = f"{key} is {_found(at.node, key)}; expected {expected}"
    return problem(code, message, at.node.file, at.node.span, key=key, fix=_fix(at.node, expected))


def _first_key(node: Node) -> Scalar | Node:
    return next(iter(node.entries.values())).key if isinstance(node, Mapping) and node.entries else node


def _unknown_key(at: _At) -> Diagnostic:
    assert at.entry is not None
    section = at.path[:-1]
    model = _section(section)
    names = list(model.model_fields) if model else []
    where = ".".join(str(part) for part in section)
    finding = _unknown_name(
        "SV010", f"key of {where}" if where else "key", at.entry, ".".join(map(str, at.path)), names
    )
    if finding.fix is not None:
        return finding
    elsewhere = [
        f"{name}.{at.entry.key.text}"
        for name in Spec.model_fields
        if (other := _section((name,))) is not None and at.entry.key.text in other.model_fields
    ]
    if not elsewhere:
        return finding
    message = f"no {'key of ' + where if where else 'key'} is named {at.entry.key.text!r}; did you mean {elsewhere[0]}?"
    return problem("SV010", message, at.entry.key.file, at.entry.key.span, key=finding.key)


def _section(path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The model that holds the keys at a path, None where keys are free or there is none."""
    from pydantic import BaseModel

    current: Any = Spec
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            if field is None:
                return None
            current = _inner(field.annotation)
        else:
            current = _inner(getattr(current, "__args__", (None, None))[1])
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _inner(annotation: Any) -> Any:
    """The type without its None."""
    from types import NoneType, UnionType

    if isinstance(annotation, UnionType):
        return next(a for a in annotation.__args__ if a is not NoneType)
    return annotation


def _field(path: tuple[str | int, ...]) -> FieldInfo | None:
    section = _section(path[:-1]) if path else None
    return section.model_fields.get(str(path[-1])) if section else None


def _unit(field: FieldInfo | None) -> str:
    extra = field.json_schema_extra if field else None
    unit = extra.get("x-unit") if isinstance(extra, dict) else None
    return f" ({unit})" if unit else ""


def _hint(field: FieldInfo | None) -> str:
    if field is None:
        return ""
    example = f", for example {field.examples[0]!r}" if field.examples else ""
    description = (field.description or "").rstrip(".")
    return f": {description[:1].lower()}{description[1:]}{example}"


_TYPES = {
    "string_type": "text",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "a number of at least {}"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "a number of at most {}"),
}


def _expected(error: ErrorDetails, field: FieldInfo | None) -> tuple[str, str]:
    """What the language expects there, and the code of the finding."""
    name, context = error["type"], error.get("ctx", {})
    if any(str(part).startswith(("constrained-", "str", "function")) for part in error["loc"][-1:]):
        return "text, a number, true or false", "SV012"
    if name in _TYPES:
        return _TYPES[name] + _unit(field), "SV012"
    if name in _BOUNDS:
        argument, words = _BOUNDS[name]
        bound = context[argument]
        return words.format(f"{bound:,}") + _unit(field), "SV013"
    if name == "literal_error":
        return str(context["expected"]).replace("'", ""), "SV013"
    if name == "string_too_short":
        return "text that is not empty", "SV013"
    if name == "string_too_long":
        return f"text of at most {context['max_length']:,} characters", "SV013"
    if name == "string_pattern_mismatch":
        description = (field.description if field else None) or f"text that matches {context['pattern']}"
        return description.rstrip("."), "SV013"
    return error["msg"][:1].lower() + error["msg"][1:], "SV013"


def _shorten(text: str) -> str:
    text = redact(text)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text):,} characters)"


def _found(node: Node, key: str) -> str:
    """What stands there, in words; the values of variables are never shown."""
    if not isinstance(node, Scalar):
        return f"a {kind(node)}"
    if node.value is None:
        return "nothing (null)"
    if key.startswith("env.") or ".env." in key:
        return f"a value of type {kind(node)}"
    if isinstance(node.value, str):
        return f"the text {_shorten(node.text)!r}"
    return _shorten(node.text) if isinstance(node.value, int | float) else node.text


_YAML_1_1 = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def _fix(node: Node, expected: str) -> Fix | None:
    """The edit, where what was meant is plain to see."""
    if not isinstance(node, Scalar):
        return None
    text = node.text.strip()

    def edit(replacement: str, message: str) -> Fix:
        return Fix(message, (Edit(node.span, replacement),))

    if expected.startswith("text") and not isinstance(node.value, str | None) and node.plain:
        return edit(f'"{text}"', f'put it in quotes: "{text}"')
    if expected.startswith("true or false"):
        meant = _YAML_1_1.get(text.lower()) or (text.lower() if text.lower() in ("true", "false") else None)
        if meant:
            reason = f"YAML 1.2 takes {text!r} as text" if node.plain else "quotes make it text"
            return edit(meant, f"write {meant}: {reason}")
    if expected.startswith(("an integer", "a number")) and isinstance(node.value, str):
        digits = text.replace("_", "").replace(",", "")
        if digits.isascii() and digits.isdecimal() and len(digits) <= 15:
            reason = "YAML 1.2 takes it as text" if node.plain else "quotes make it text"
            return edit(digits, f"write {digits}: {reason}")
    if (
        expected.startswith("an integer")
        and isinstance(node.value, float)
        and node.value.is_integer()
        and abs(node.value) < 2**53
    ):
        return edit(str(int(node.value)), f"write {int(node.value)}")
    return None


def empty_document(file: str) -> Diagnostic:
    """The finding for a file in which nothing is written."""
    return problem("SV004", "the file is empty; a spec begins with 'servespec: v1'", file, Span(1, 1, 1, 1))
