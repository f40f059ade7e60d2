"""Read the flags of `vllm serve` from a folder of vLLM's sources by running its own parser.

Usage: python read_vllm.py SOURCES OUT.json [--real]
Run in a fresh process: the sources are imported with everything heavy stubbed (see stubs.py); with --real nothing
is stubbed, and the interpreter must have vLLM's dependencies (see compare.py).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import importlib
import io
import json
import logging
import os
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any

import stubs
from serialise import Row, rows

# What the parser itself is made in: a stub in their place would make the result worthless.
ESSENTIAL = re.compile(
    r"vllm\.(engine\.arg_utils|config(\..*)?|utils(\.argparse_utils)?|scripts|entrypoints\.cli\.serve"
    r"|entrypoints\.(openai|launchers|common)\.cli_args|.*(tool_parsers|tool_parser|reasoning)(\..*)?)"
)


def pretend_cuda() -> None:
    """Make the parser see what it sees on an NVIDIA machine, which is where images run."""
    with contextlib.suppress(ImportError, AttributeError):
        platforms: Any = importlib.import_module("vllm.platforms")
        interface: Any = importlib.import_module("vllm.platforms.interface")
        base = interface.UnspecifiedPlatform
        members = {"_enum": interface.PlatformEnum.CUDA, "device_type": "cuda", "device_name": "cuda"}
        platforms._current_platform = platforms.current_platform = type("Cuda", (base,), members)()


def flexible_parser_class() -> type[argparse.ArgumentParser]:
    for module in ("vllm.utils.argparse_utils", "vllm.utils"):
        with contextlib.suppress(ImportError):
            cls = getattr(importlib.import_module(module), "FlexibleArgumentParser", None)
            if isinstance(cls, type) and issubclass(cls, argparse.ArgumentParser):
                return cls
    raise LookupError("vLLM's FlexibleArgumentParser was not found")


def serve_parser(parser_class: type[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `vllm serve`, made by the module that makes it in this version."""
    with contextlib.suppress(ImportError, AttributeError):
        serve = importlib.import_module("vllm.entrypoints.cli.serve")
        command = serve.ServeSubcommand()
        if "StubType" not in type(type(command)).__name__:
            return command.subparser_init(parser_class().add_subparsers())  # type: ignore[no-any-return]
    captured: list[argparse.ArgumentParser] = []

    def capture(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        captured.append(self)
        raise SystemExit

    original, parser_class.parse_args = parser_class.parse_args, capture  # type: ignore[method-assign,assignment]
    with contextlib.suppress(SystemExit):
        importlib.import_module("vllm.scripts").main()
    parser_class.parse_args = original  # type: ignore[method-assign]
    for action in captured[0]._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices["serve"]  # type: ignore[no-any-return]
    raise LookupError("no serve command in vllm.scripts")


def config_fields(sources: Path) -> dict[str, tuple[str, str]]:
    """Flag to (configuration class, field), from `add_argument("--flag", **x_kwargs["field"])`."""
    tree = ast.parse((sources / "vllm/engine/arg_utils.py").read_text("utf-8"))
    classes: dict[str, str] = {}
    found: dict[str, tuple[str, str]] = {}
    fields: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        value, target = node.value, ast.unparse(node.targets[0])
        if (cls := _of_get_kwargs(value)) is not None:
            classes[target] = cls
        elif (
            isinstance(value, ast.Subscript)
            and isinstance(value.slice, ast.Constant)
            and (cls := _of_get_kwargs(value.value)) is not None
        ):
            fields[target] = (cls, str(value.slice.value))
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument"):
            continue
        names = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg is None and ast.unparse(value) in fields:
                found |= dict.fromkeys(names, fields[ast.unparse(value)])
            if (
                keyword.arg is None
                and isinstance(value, ast.Subscript)
                and isinstance(value.slice, ast.Constant)
            ):
                cls = classes.get(ast.unparse(value.value))
                for name in names if cls else []:
                    found[name] = (str(cls), str(value.slice.value))
    return found


def _of_get_kwargs(node: ast.expr) -> str | None:
    """The class in `get_kwargs(Class)`."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_kwargs"
    return ast.unparse(node.args[0]) if is_call and node.args else None  # type: ignore[attr-defined]


def describe_field(row: Row, cls_name: str, field_name: str) -> None:
    """Add to a row what the configuration class behind it says: range, and the keys of a JSON value."""
    row["field"] = f"{cls_name}.{field_name}"
    cls = getattr(importlib.import_module("vllm.config"), cls_name, None)
    if cls is None:
        cls = getattr(importlib.import_module("vllm.engine.arg_utils"), cls_name, None)
    if not dataclasses.is_dataclass(cls):
        return
    field = next((f for f in dataclasses.fields(cls) if f.name == field_name), None)
    if field is None:
        return
    bounds = {
        key: getattr(rule, key)
        for rule in getattr(field.default, "metadata", [])
        for key in ("ge", "gt", "le", "lt")
        if hasattr(rule, key)
    }
    if bounds:
        row["range"] = bounds
    literals = [
        typing.get_args(hint) for hint in _hints(field.type) if typing.get_origin(hint) is typing.Literal
    ]
    if len(literals) > 1 and row["choices"]:
        # vLLM takes the first of a set: which one it is differs from start to start (0.8.5 to 0.10.2).
        row["choices"] = sorted({choice for choices in literals for choice in choices})
    if row["kind"] == "json":
        for hint in _hints(field.type):
            if dataclasses.is_dataclass(hint):
                row["keys"] = [f.name for f in dataclasses.fields(hint) if f.init]
                row["closed"] = (getattr(hint, "__pydantic_config__", None) or {}).get("extra") == "forbid"


def _hints(hint: Any) -> list[Any]:
    """The types that a value itself may have; not those of what is in it."""
    if typing.get_origin(hint) is typing.Annotated:
        return _hints(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [part for argument in typing.get_args(hint) for part in _hints(argument)]
    return [hint]


def registered(manager_name: str, *modules: str) -> list[str] | None:
    """Names in one of vLLM's parser registries, which newer versions look up only after parsing."""
    for module in modules:
        with contextlib.suppress(ImportError, AttributeError, TypeError):
            manager = getattr(importlib.import_module(module), manager_name)
            names = (
                manager.list_registered()
                if hasattr(manager, "list_registered")
                else list(manager.tool_parsers)
            )
            if names:
                return sorted(names)
    return None


def syntax(parser_class: type[argparse.ArgumentParser]) -> Row:
    """How this version's parser treats words, found by asking it."""

    def takes(*words: str) -> argparse.Namespace | None:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(BaseException):
            probe = parser_class(add_help=False)
            probe.add_argument("--json-arg", type=json.loads)
            probe.add_argument("--long-name")
            return probe.parse_args(list(words))
        return None

    def serve_takes_model() -> bool:
        with (
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.suppress(ValueError, SystemExit, AttributeError),
        ):
            main = parser_class(add_help=False)
            sub = main.add_subparsers(dest="command", parser_class=parser_class)
            serve = sub.add_parser("serve")
            serve.add_argument("model_tag", nargs="?")
            serve.add_argument("--model")
            main.parse_args(["serve", "--model", "x"])
            return True
        return False

    def level_flag() -> str | None:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(BaseException):
            probe = parser_class(add_help=False)
            probe.add_argument("--optimization-level", dest="level")
            probe.add_argument("--compilation-config", "-O", dest="compilation")
            found = probe.parse_args(["-O3"])
            if found.level == "3":
                return "--optimization-level"
            given = json.loads(found.compilation)
            if isinstance(given, dict):
                return f"-O.{next(iter(given))}"
        return None  # -O, where it exists, is then a spelling like any other

    dotted = takes("--json-arg.a.b", "1")
    listed = takes("--json-arg.a+", "x,y")
    return {
        "underscores": takes("--long_name", "x") is not None,
        "dotted": dotted is not None and dotted.json_arg == {"a": {"b": 1}},
        "dotted_lists": listed is not None and listed.json_arg == {"a": ["x", "y"]},
        "serve_takes_model": serve_takes_model(),
        "level": level_flag(),
    }


def main(sources: Path, out: Path, is_real: bool) -> None:
    os.environ["VLLM_CONFIGURE_LOGGING"] = "0"
    logging.disable(logging.CRITICAL)
    sys.argv = ["vllm"]
    failed: dict[str, str] = {}
    if is_real:
        sys.path.insert(0, str(sources))
    else:
        failed = stubs.install("vllm", sources).failed
        pretend_cuda()
    parser_class = flexible_parser_class()
    parser = serve_parser(parser_class)
    found = rows(parser)
    fields = config_fields(sources)
    for row in found:
        for spelling in row["spellings"]:
            if spelling in fields:
                describe_field(row, *fields[spelling])
        if row["dest"] == "tool_call_parser" and row["choices"] is None:
            row["values"] = registered(
                "ToolParserManager", "vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers"
            )
        if row["dest"] == "reasoning_parser" and row["choices"] is None:
            row["values"] = registered("ReasoningParserManager", "vllm.reasoning")
    broken = {name: why for name, why in failed.items() if ESSENTIAL.fullmatch(name)}
    result = {"flags": found, "syntax": syntax(parser_class), "stubbed": broken}
    out.write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), "--real" in sys.argv[3:])
