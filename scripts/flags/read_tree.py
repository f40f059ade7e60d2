"""Read flag names from an engine's syntax tree, as a second opinion on what its parser said when run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# The files that register flags of the server command, whichever of them a version has.
FILES = {
    "vllm": [
        "vllm/engine/arg_utils.py", "vllm/engine/async_llm_engine.py",
        "vllm/entrypoints/cli/serve.py", "vllm/entrypoints/openai/cli_args.py",
        "vllm/entrypoints/launchers/cli_args.py", "vllm/entrypoints/common/cli_args.py",
        "vllm/entrypoints/serve/cli_args.py",
    ],
    "sglang": ["sglang/srt/server_args.py", "sglang/srt/arg_groups/fields/*.py"],
}  # fmt: skip


def literal_flags(tree: ast.AST) -> Iterator[str]:
    """The spellings that are written out in `add_argument` calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            for argument in node.args:
                if (
                    isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                    and argument.value[0] == "-"
                ):
                    yield argument.value


def field_flags(tree: ast.AST) -> Iterator[str]:
    """The spellings that follow from annotated fields: `name: A[type, "help" or Arg(...), …]`."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        annotation = node.annotation
        if not (
            isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in ("A", "Annotated")
        ):
            continue
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
        for part in parts[1:]:
            if isinstance(part, ast.Constant | ast.JoinedStr | ast.BinOp):
                yield "--" + node.target.id.replace("_", "-")
                break
            if isinstance(part, ast.Call) and ast.unparse(part.func) == "Arg":
                yield from _argument_flags(node.target.id, part)
                break


def _argument_flags(field: str, call: ast.Call) -> Iterator[str]:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "no_cli" in given and ast.unparse(given["no_cli"]) == "True":
        return
    name = given.get("cli_name")
    yield str(name.value) if isinstance(name, ast.Constant) else "--" + field.replace("_", "-")
    aliases = given.get("aliases")
    for alias in aliases.elts if isinstance(aliases, ast.List) else []:
        if isinstance(alias, ast.Constant):
            yield str(alias.value)


def flags_in_tree(engine: str, sources: Path) -> set[str]:
    found: set[str] = set()
    for pattern in FILES[engine]:
        for path in sources.glob(pattern):
            tree = ast.parse(path.read_text("utf-8"))
            found.update(literal_flags(tree))
            if engine == "sglang":
                found.update(field_flags(tree))
    return found


def differences(engine: str, sources: Path, rows: list[Row]) -> list[str]:
    """Spellings that only one of the two readings has: `-` for the parser alone, `+` for the tree alone.

    Negations are left out: argparse makes them from the flag. So is what the tree cannot show: flags that a loop
    registers from a dataclass (vLLM's front-end flags since 0.9, which have no literal name).
    """
    tree = flags_in_tree(engine, sources)
    parser = {s for row in rows for s in row["spellings"]}
    every = parser | {s for row in rows for s in row["negations"]}
    return sorted(f"+{flag}" for flag in tree - every - {"-h", "--help", "--version", "-v"})
