"""The words of a finding about a value: what is expected there, what was found, what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servespec.diagnostics import Edit, Fix
from servespec.spec.model import Spec
from servespec.spec.nodes import Node, Scalar, kind
from servespec.spec.problems import nearest
from servespec.spec.secrets import redact

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


def section_at(path: tuple[str | int, ...]) -> type[BaseModel] | None:
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


def field_at(path: tuple[str | int, ...]) -> FieldInfo | None:
    """The field of the models at a path, None where keys are free."""
    section = section_at(path[:-1]) if path else None
    return section.model_fields.get(str(path[-1])) if section else None


def _unit(field: FieldInfo | None) -> str:
    extra = field.json_schema_extra if field else None
    unit = extra.get("x-unit") if isinstance(extra, dict) else None
    return f" ({unit})" if unit else ""


def hint(field: FieldInfo | None) -> str:
    """What a missing key is for, with an example."""
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


def expected(error: ErrorDetails, field: FieldInfo | None) -> tuple[str, str]:
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
        return f"{description[:1].lower()}{description[1:]}".rstrip("."), "SV013"
    return error["msg"][:1].lower() + error["msg"][1:], "SV013"


def shorten(text: str) -> str:
    """A value as it may be shown: no secret, and not endless."""
    text = redact(text)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text):,} characters)"


def found(node: Node, key: str) -> str:
    """What stands there, in words; the values of variables are never shown."""
    if not isinstance(node, Scalar):
        return f"a {kind(node)}"
    if node.value is None:
        return "nothing (null)"
    if key.startswith("env.") or ".env." in key:
        return f"a value of type {kind(node)}"
    if isinstance(node.value, str):
        return f"the text {shorten(node.text)!r}"
    return shorten(node.text) if isinstance(node.value, int | float) else node.text


def nearest_choice(node: Node, error: ErrorDetails) -> Fix | None:
    """The choice that was meant, where one is close."""
    if not isinstance(node, Scalar):
        return None
    choices = str(error.get("ctx", {})["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
    close = nearest(node.text, choices)
    return Fix(f"write {close}", (Edit(node.span, close, safe=False),)) if close else None


_YAML_1_1 = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def fix_of(node: Node, expected: str) -> Fix | None:
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
