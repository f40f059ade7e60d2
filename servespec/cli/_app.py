"""Typer's part: help, completion, and every command but a plain ``check``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any

import typer

from servespec import cli
from servespec._version import __version__
from servespec.errors import UsageError

_BadUsage: Any = typer.BadParameter.__mro__[
    1
]  # UsageError of the click that this Typer carries, or depends on


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


def build(wanted: str | None = None) -> typer.Typer:
    """The application with one command, or with all when ``wanted`` is none of them."""
    app = typer.Typer(
        name="servespec",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_callback,
    )
    names = command_names()
    for name in [wanted] if wanted in names else names:
        module = import_module(f"{cli.__name__}.{names[name]}")
        app.command(name, context_settings=getattr(module, "CONTEXT_SETTINGS", None))(module.command)
    return app


def call(arguments: list[str]) -> int:
    """Hand the arguments to Typer and return the exit code. Raises UsageError for what it cannot read."""
    app = build(arguments[0] if arguments else None)
    try:
        code = app(arguments or ["--help"], prog_name="servespec", standalone_mode=False)
    except _BadUsage as error:
        raise UsageError(_sentence(error)) from error
    return (code or 0) if arguments else 2


def _sentence(error: Any) -> str:
    """A usage error in one line, with the command that shows what there is."""
    near = getattr(error, "possibilities", None)
    said = (
        f"{error.message}; did you mean {' or '.join(near)}?" if near else error.format_message().rstrip(".")
    )
    help_command = f"{error.ctx.command_path} --help" if error.ctx is not None else "servespec --help"
    return f"{said[:1].lower()}{said[1:]} (see `{help_command}`)"
