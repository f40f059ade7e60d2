"""What expressions of a Python program are worth, as far as the program's own constants tell. Nothing is run."""

from __future__ import annotations

import ast
import operator
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_OPERATIONS: dict[type[ast.operator], Callable[[int | float, int | float], int | float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}  # fmt: skip
MOST_WORDS = 1_000
"""Policy: of one list, as of one command."""
MOST_CHARACTERS = 1 << 16
"""Policy: of one text that the program makes."""


@dataclass(slots=True)
class Words:
    """A list of words; ``left_out`` are those that the program adds on a condition that it does not decide itself."""

    words: list[str]
    line: int
    left_out: list[str] = field(default_factory=list)


Value = str | int | float | bool | None | Words


class Values:
    """Constants by name, and the values of expressions over them; what is not known is a variable (``${name}``)."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.constants: dict[str, Value] = {}
        self.mappings: dict[str, dict[str, Any]] = {}

    def mapping(self, node: ast.Dict) -> dict[str, Any]:
        """A literal mapping, the keys that are texts."""
        rows = zip(node.keys, node.values, strict=True)
        return {
            name: self.plain(value)
            for key, value in rows
            if key is not None and isinstance(name := self.value(key), str)
        }

    def plain(self, node: ast.expr) -> Any:
        """A value of a keyword as plain data, with a variable in the place of what is not known."""
        if isinstance(node, ast.Dict):
            return self.mapping(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
            return {keyword.arg: self.plain(keyword.value) for keyword in node.keywords if keyword.arg}
        if isinstance(node, ast.List | ast.Tuple):
            return [self.plain(item) for item in node.elts[:MOST_WORDS]]
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str | int | float | bool | None) else None
        value = self.value(node)
        return variable(node) if value is None or isinstance(value, Words) else value

    def value(self, node: ast.expr) -> Value:
        """The value of an expression; None where the program alone knows it."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str | int | float | bool) else None
        if isinstance(node, ast.Name):
            return self.constants.get(node.id)
        if isinstance(node, ast.List | ast.Tuple):
            return self.words(node)
        if isinstance(node, ast.JoinedStr):
            parts = [
                self.text(part.value) if isinstance(part, ast.FormattedValue) else self.text(part)
                for part in node.values
            ]
            return "".join(parts)[:MOST_CHARACTERS]
        if isinstance(node, ast.BinOp):
            return self.operation(node)
        if isinstance(node, ast.IfExp):
            test = self.value(node.test)
            return self.value(node.body if test else node.orelse) if isinstance(test, bool) else None
        return self.call(node) if isinstance(node, ast.Call) else None

    def words(self, node: ast.List | ast.Tuple) -> Words:
        """A list of words, with a variable for each that is not known."""
        found = Words([], node.lineno)
        for item in node.elts[: MOST_WORDS + 1]:
            value = self.value(item.value if isinstance(item, ast.Starred) else item)
            if isinstance(item, ast.Starred) and isinstance(value, Words):
                found.words += value.words[:MOST_WORDS]
                found.left_out += value.left_out
            else:
                found.words.append(word_of(value) if value is not None else variable(item))
        return found

    def operation(self, node: ast.BinOp) -> Value:
        """A sum of lists or texts, or arithmetic on numbers."""
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, Words) and isinstance(node.op, ast.Add):
            if isinstance(right, Words):
                return Words(
                    (left.words + right.words)[: MOST_WORDS + 1], left.line, left.left_out + right.left_out
                )
            return left
        if isinstance(left, str) or isinstance(right, str):
            is_text = isinstance(node.op, ast.Add)
            return (self.text(node.left) + self.text(node.right))[:MOST_CHARACTERS] if is_text else None
        does = _OPERATIONS.get(type(node.op))
        if does is None or not isinstance(left, int | float) or not isinstance(right, int | float):
            return None
        try:
            return does(left, right) if max(abs(left), abs(right)) < 1e15 else None
        except ArithmeticError:
            return None

    def call(self, node: ast.Call) -> Value:
        """What conversions, quoting and the environment with a default give."""
        name = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
        if name in ("str", "int", "float", "Path", "shlex.quote") and len(node.args) == 1:
            return self.value(node.args[0])
        if name in ("os.environ.get", "os.getenv", "getenv", "environ.get") and len(node.args) == 2:
            return self.value(node.args[1])
        if (
            name == "shlex.split"
            and len(node.args) == 1
            and isinstance(text := self.value(node.args[0]), str)
        ):
            try:
                return Words(shlex.split(text)[: MOST_WORDS + 1], node.lineno)
            except ValueError:
                return None
        return None

    def text(self, node: ast.expr) -> str:
        """The value as it stands in a text."""
        value = self.value(node)
        return variable(node) if value is None or isinstance(value, Words) else word_of(value)


def word_of(value: Value) -> str:
    """A value as one word of a command."""
    if isinstance(value, Words):
        return shlex.join(value.words)
    return str(value).lower() if isinstance(value, bool) else str(value)


def variable(node: ast.expr) -> str:
    """A reference in the place of an expression, by the last name in it."""
    names = [
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute | ast.Name)
    ]
    return f"${{{names[0] if names else 'EXPRESSION'}}}"
