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
        "vllm/engine/arg_utils.py", "vllm/engine/async_llm_engine.py", "vllm/scripts.py",
        "vllm/entrypoints/cli/serve.py", "vllm/entrypoints/openai/cli_args.py",
        "vllm/entrypoints/launchers/cli_args.py", "vllm/entrypoints/common/cli_args.py",
        "vllm/entrypoints/serve/cli_args.py",
    ],
    "sglang": ["sglang/srt/server_args.py", "sglang/srt/arg_groups/fields/*.py"],
}  # fmt: skip


# Registered by a loop whose names a syntax tree does not show: vLLM 0.11 keeps these, deprecated.
OUT_OF_SIGHT = {
    "--guided-decoding-backend",
    "--guided-decoding-disable-additional-properties",
    "--guided-decoding-disable-any-whitespace",
    "--guided-decoding-disable-fallback",
}


def literal_flags(tree: ast.AST, owner: str | None = None) -> Iterator[str]:
    """The spellings that are written out in `add_argument` calls, of the parser named `owner` where one is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            if owner is not None and ast.unparse(node.func.value) != owner:  # type: ignore[attr-defined]
                continue
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


def front_end_flags(tree: ast.AST) -> Iterator[str]:
    """The spellings of vLLM's front-end flags, which a loop registers from the fields of a dataclass (since 0.9)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    yield "--" + part.target.id.replace("_", "-")


def flags_in_tree(engine: str, sources: Path) -> set[str]:
    found: set[str] = set()
    for pattern in FILES[engine]:
        for path in sources.glob(pattern):
            tree = ast.parse(path.read_text("utf-8"))
            # vllm/scripts.py (until 0.7) has the parsers of other commands too.
            found.update(literal_flags(tree, "serve_parser" if path.name == "scripts.py" else None))
            found.update(field_flags(tree) if engine == "sglang" else front_end_flags(tree))
    return found


def differences(engine: str, sources: Path, rows: list[Row]) -> list[str]:
    """Spellings that only one of the two readings has: `-` for the parser alone, `+` for the tree alone.

    Negations are left out: argparse makes them from the flag.
    """
    tree = flags_in_tree(engine, sources)
    parser = {spelling for row in rows for spelling in row["spellings"]}
    every = parser | {spelling for row in rows for spelling in row["negations"]}
    missing = tree - every - {"-h", "--help", "--version", "-v"}
    return sorted([*(f"+{flag}" for flag in missing), *(f"-{flag}" for flag in parser - tree - OUT_OF_SIGHT)])
