"""Commands in Python programs: lists of words and texts, with what the program's own constants put in.

Nothing is run. A name that is given one literal value is that value; ``os.environ.get(NAME, default)`` is its default;
every other expression stays a variable (``${name}``), for the reader of the words to deal with.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from servespec.engines.lifting import has_reference
from servespec.engines.published import published
from servespec.importing.python_values import (
    MOST_CHARACTERS,
    MOST_WORDS,
    Value,
    Values,
    Words,
    word_of,
)
from servespec.importing.servers import Server, in_command, in_text, mention
from servespec.importing.settings import flags_of, unread
from servespec.importing.shell import Command

_STATEMENT = re.compile(
    r"^(?:import|from) +[\w.]+|^(?:def|class) +\w+|^@\w+|^ *[\w.]+ *= *(?:\[|f?[\"'])", re.MULTILINE
)
_MOST_NESTED = 50


def is_python(text: str) -> bool:
    """Whether a text looks like Python; `in_python` tells for certain."""
    return _STATEMENT.search(text) is not None


def in_python(text: str) -> list[Server] | None:
    """The servers that a Python program starts, in its order; None for a text that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    reader = _Reader()
    try:
        reader.block(tree.body, is_certain=True)
    except RecursionError:
        return None
    return list(reader.servers())


class _Reader(Values):
    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[int, Words] = {}  # by identity: a name may stand for one in many places
        self.texts: list[tuple[int, str]] = []
        self.made: list[Server] = []
        self.gpu: str | None = None
        self.depth = 0

    def servers(self) -> Iterator[Server]:
        found = list(self.made)
        for row in self.lists.values():
            notes = (
                [f"left out, the program adds it on a condition: {' '.join(row.left_out)}"]
                if row.left_out
                else []
            )
            servers = in_command(Command(tuple(row.words), {}, row.line))
            found += [replace(server, notes=(*server.notes, *notes)) for server in servers]
        for line, text in self.texts:
            found += [replace(server, line=server.line + line - 1) for server in in_text(text)]
        gpu, _, count = (self.gpu or "").partition(":")
        for server in sorted(found, key=lambda server: server.line):
            number = int(count) if count.isdecimal() and 0 < int(count) <= 1024 else None
            yield replace(server, gpu=server.gpu or gpu or None, gpus=server.gpus or number)

    def block(self, body: Sequence[ast.stmt], *, is_certain: bool) -> None:
        for statement in body:
            self.statement(statement, is_certain=is_certain)

    def statement(self, node: ast.stmt, *, is_certain: bool) -> None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring tells, it starts nothing
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                self.look(decorator)
            self.block(node.body, is_certain=True)
        elif isinstance(node, ast.If):
            test = self.value(node.test)
            is_known = isinstance(test, bool)
            if test is not False:
                self.block(node.body, is_certain=is_certain and is_known)
            if test is not True:
                self.block(node.orelse, is_certain=is_certain and is_known)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = self.look(node.value)
            for target in targets:
                if isinstance(target, ast.Name) and (is_certain or target.id not in self.constants):
                    self.constants[target.id] = value
                    if isinstance(node.value, ast.Dict):
                        self.mappings[target.id] = self.mapping(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self.extend(node.target.id, self.value(node.value), is_certain=is_certain)
        elif isinstance(node, ast.Expr) and self.is_extension(node.value, is_certain=is_certain):
            return
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.look(child)
                elif isinstance(child, ast.withitem):
                    self.look(child.context_expr)
                elif isinstance(child, ast.stmt):
                    self.statement(child, is_certain=is_certain)
                elif isinstance(child, ast.ExceptHandler):
                    self.block(child.body, is_certain=False)

    def is_extension(self, node: ast.expr, *, is_certain: bool) -> bool:
        """``cmd.append("--x")`` and ``cmd.extend([…])`` of a list that is known."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 1):
            return False
        owner, name = node.func.value, node.func.attr
        if not isinstance(owner, ast.Name) or name not in ("append", "extend"):
            return False
        if not isinstance(self.constants.get(owner.id), Words):
            return False
        value = self.value(node.args[0])
        if name == "append":
            value = Words([word_of(value)], node.lineno)
        self.extend(owner.id, value, is_certain=is_certain)
        return True

    def extend(self, name: str, value: Value, *, is_certain: bool) -> None:
        held = self.constants.get(name)
        if isinstance(held, Words) and isinstance(value, Words):
            words = held.words if is_certain else held.left_out
            words += value.words[: MOST_WORDS + 1 - len(words)]
            held.left_out += value.left_out[:MOST_WORDS]
        elif isinstance(held, str) and isinstance(value, str) and is_certain:
            self.constants[name] = (held + value)[:MOST_CHARACTERS]

    def look(self, node: ast.expr) -> Value:
        """The value of an expression; what it has in it of commands is kept."""
        value = self.value(node)
        if isinstance(value, Words):
            self.lists.setdefault(id(value), value)
            if list(in_command(Command(tuple(value.words), {}, value.line))):
                return value
        elif isinstance(value, str) and isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
            if mention().search(value):
                self.texts.append((node.lineno, value))
            return value
        if isinstance(node, ast.Call) and (made := self.engine_of_class(node)) is not None:
            self.made.append(made)
            return value
        self.depth += 1
        for child in ast.iter_child_nodes(node) if self.depth < _MOST_NESTED else ():
            if isinstance(child, ast.keyword):
                if child.arg == "gpu" and isinstance(gpu := self.value(child.value), str):
                    self.gpu = self.gpu or gpu
                self.look(child.value)
            elif isinstance(child, ast.expr):
                self.look(child)
        self.depth -= 1
        return value

    def engine_of_class(self, node: ast.Call) -> Server | None:
        """The server that ``LLM(model, max_model_len=8192)`` is in the program's own process."""
        name = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
        engine = next(
            (
                engine
                for engine, how in published().items()
                if any(f".{name}".endswith(f".{c}") for c in how.classes)
            ),
            None,
        )
        if engine is None:
            return self.described(node)
        settings: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is not None:
                settings[keyword.arg] = self.plain(keyword.value)
            elif isinstance(keyword.value, ast.Name):
                settings |= self.mappings.get(keyword.value.id, {})
        model = next((settings.pop(key) for key in ("model", "model_path") if key in settings), None)
        model = self.plain(node.args[0]) if model is None and node.args else model
        if not isinstance(model, str):
            return None
        known = {key: value for key, value in settings.items() if not has_reference(value)}
        notes = [f"left out, its value is not in the source: {key}" for key in settings.keys() - known.keys()]
        return Server(
            engine=engine,
            argv=tuple(flags_of(engine, known, {})),
            model=model,
            line=node.lineno,
            notes=(*sorted(notes), *unread(engine, known)),
        )

    def described(self, node: ast.Call) -> Server | None:
        """The server of a call that describes one as a file would: ``LLMConfig(engine_kwargs=…)`` of Ray Serve."""
        names = {keyword.arg for keyword in node.keywords}
        if not any(names & {*how.settings} for how in published().values()):
            return None
        from servespec.importing.manifests import in_document

        servers = list(in_document(self.plain(ast.Call(ast.Name("dict"), [], node.keywords))))
        return replace(servers[0], line=node.lineno) if servers else None
