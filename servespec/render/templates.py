"""Templates for scripts, units and clients: Jinja2 in its sandbox, every value quoted by a filter.

A value that a template writes without one of the quoting filters is an error, not an injection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.engines.launch import Variable
from servespec.errors import RenderError
from servespec.render.header import plain
from servespec.render.words import shell_lines, shell_word

if TYPE_CHECKING:
    from jinja2.runtime import Context
    from jinja2.sandbox import SandboxedEnvironment

UNIT_PLAIN = re.compile(r"[A-Za-z0-9_./:@,+=-]+")
"""Words that systemd reads as they are, quoted or not."""
MOST_CHARACTERS = 10_000
"""That a text in a template may be repeated for."""
_PADDING = frozenset({"ljust", "rjust", "center", "zfill", "expandtabs", "format", "format_map"})
SHIPPED = Path(__file__).parent.parent / "templates"


class Quoted(str):
    """Text in the syntax of the file that is being written."""

    __slots__ = ()


def fill(template: str, values: Mapping[str, object], own: Path | None = None) -> str:
    """Fill a template by its path below the template folder (``vllm/offline.py.j2``).

    ``own`` is a folder of the user's in which a template of the same path goes first. Raises
    RenderError when a template is missing, wrong, or writes a value that is not quoted.
    """
    from jinja2 import TemplateError, TemplateNotFound

    try:
        return str(_environment(own).get_template(template).render(values))
    except TemplateNotFound as error:
        raise RenderError(f"no template {error.name}") from error
    except RenderError:
        raise
    except TemplateError as error:
        where = f"{getattr(error, 'name', None) or template}:{getattr(error, 'lineno', '')}".rstrip(":")
        raise RenderError(f"template {where}: {error}") from error
    except Exception as error:  # whatever an expression of the template raises: it is code of the user's
        raise RenderError(f"template {template}: {type(error).__name__}: {error}") from error


def has_template(template: str, own: Path | None = None) -> bool:
    """Whether there is a template of that path."""
    return any((folder / template).is_file() for folder in (own, SHIPPED) if folder)


def _environment(own: Path | None) -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Bounded(ImmutableSandboxedEnvironment):
        """A sandbox whose templates make nothing enormous."""

        intercepted_binops = frozenset({"*", "**", "%"})

        def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
            most = MOST_CHARACTERS if operator == "*" else 64
            texts = [side for side in (left, right) if not isinstance(side, int | float)]
            numbers = [abs(side) for side in (left, right) if isinstance(side, int | float)]
            if (operator == "%" and texts) or (texts and operator == "*" and any(n > most for n in numbers)):
                raise RenderError(f"a template may not use {operator} so on a text or a list")
            if operator == "**" and any(number > most for number in numbers):
                raise RenderError(f"a template may take numbers up to {most} for **")
            return super().call_binop(context, operator, left, right)

        def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
            return attr not in _PADDING and super().is_safe_attribute(obj, attr, value)

    environment = Bounded(
        loader=FileSystemLoader([str(folder) for folder in (own, SHIPPED) if folder]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_only_quoted,
        autoescape=False,  # no HTML: the filters quote, and _only_quoted sees to it
    )
    for name in ("center", "format"):
        environment.filters.pop(name)
    environment.filters.update(
        sh=lambda value: Quoted(shell_word(value)),
        sh_variable=lambda name: Quoted(shell_word(Variable(name))),
        sh_command=lambda words, indent="  ": Quoted(f" \\\n{indent}".join(shell_lines(words))),
        py=lambda value, indent=0: Quoted(python_literal(value, indent)),
        json=lambda value: Quoted(json.dumps(value, ensure_ascii=False)),
        unit_text=lambda value: Quoted(unit_text(value)),
        unit_command=lambda words: Quoted(" ".join(unit_word(word) for word in words)),
        quadlet_json=lambda words: Quoted(
            unit_text(json.dumps([str(word) for word in words])).replace("$", "$$")
        ),
        assignment=lambda name, value: Quoted(_unit_quoted(f"{name}={value}")),
        quadlet_text=lambda value: Quoted(unit_text(value).replace("$", "$$")),
        quadlet_assignment=lambda name, value: Quoted(_unit_quoted(f"{name}={value}".replace("$", "$$"))),
        comment=lambda text, prefix="# ": Quoted("".join(f"{prefix}{plain(line)}\n" for line in text)),
    )
    return environment


def _only_quoted(value: object) -> object:
    if isinstance(value, Quoted) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if value is None or value == "":
        return ""
    from jinja2 import TemplateRuntimeError

    raise TemplateRuntimeError(
        f"{value!r} is written without a quoting filter (sh, py, json, unit_text, unit_command, comment)"
    )


def python_literal(value: object, indent: int = 0) -> str:
    """The value as a Python literal; a mapping that has entries takes a line for each."""
    if isinstance(value, Mapping) and value:
        margin = " " * (indent + 4)
        lines = [
            f"{margin}{str(key)!r}: {python_literal(item, indent + 4)},\n" for key, item in value.items()
        ]
        return "{\n" + "".join(lines) + " " * indent + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(python_literal(item, indent) for item in value) + "]"
    return repr(value)


def unit_word(word: str | Variable) -> str:
    """A word of a systemd command line: C-style quotes, ``%`` and ``$`` doubled; a variable in braces."""
    if isinstance(word, Variable):
        return f'"${{{word.name}}}{unit_text(word.suffix)}"'
    return word if UNIT_PLAIN.fullmatch(word) else _unit_quoted(word.replace("$", "$$"))


def unit_text(text: str) -> str:
    """Text that stands as a whole value in a unit: specifiers doubled. Raises RenderError for several lines."""
    if not text.isprintable():
        raise RenderError(f"{text!r} cannot stand in a unit: it has control characters")
    if text != text.strip() or text.endswith("\\"):
        raise RenderError(f"{text!r} cannot stand in a unit: systemd would cut its end")
    return text.replace("%", "%%")


def _unit_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    if not escaped.isprintable():
        raise RenderError(f"{text!r} cannot stand in a unit: it has control characters")
    return '"' + escaped.replace("%", "%%") + '"'
