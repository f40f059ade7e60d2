"""Typer's part: help, completion, and every command but a plain ``check``."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated

import typer

from servespec import cli
from servespec._version import __version__


def command_names() -> dict[str, str]:
    """Command → module, sorted."""
    modules = sorted(module.name for module in iter_modules(cli.__path__) if not module.name.startswith("_"))
    return {name.removesuffix("_").replace("_", "-"): name for name in modules}


def _version(wanted: bool) -> None:
    if wanted:
        print(f"servespec {__version__}")
        raise typer.Exit


def _callback(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Check, render, run and smoke-test LLM servers from one spec."""


def _leave(code: int | None, version: bool) -> None:
    sys.exit(code or 0)


def build(wanted: str | None = None) -> typer.Typer:
    """The application with one command, or with all when ``wanted`` is none of them."""
    app = typer.Typer(
        name="servespec",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        result_callback=_leave,
        callback=_callback,
    )
    names = command_names()
    for name in [wanted] if wanted in names else names:
        app.command(name)(import_module(f"{cli.__name__}.{names[name]}").command)
    return app


def call(arguments: list[str]) -> int:
    """Hand the arguments to Typer; its own usage errors exit with 2."""
    app = build(arguments[0] if arguments else None)
    try:
        app(arguments, prog_name="servespec")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    return 0
