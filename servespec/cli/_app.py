"""Typer's part: help, completion, and every command but a plain ``check``."""

from __future__ import annotations

import os
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any

import typer
from typer.main import get_command

from servespec import cli
from servespec._version import __version__
from servespec.errors import UsageError

COMPLETION_VARIABLE = "_SERVESPEC_COMPLETE"
"""Set by the shell's completion script, which asks what may come next."""

_BadUsage: Any = typer.BadParameter.__mro__[1]
"""UsageError of the click that this Typer carries, or depends on."""


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
    wanted = arguments[0] if arguments else None
    app = build(wanted)
    if COMPLETION_VARIABLE in os.environ:
        app(prog_name="servespec")
    group = get_command(app)
    try:
        # Not by calling the application: it makes a Ctrl-C and a closed pipe into exit codes of its own.
        with group.make_context("servespec", [*arguments] or ["--help"]) as context:
            code = group.invoke(context)
    except typer.Exit as end:
        code = end.exit_code
    except _BadUsage as error:
        raise UsageError(_sentence(error, wanted)) from error
    return (code or 0) if arguments else 2


def _sentence(error: Any, wanted: str | None) -> str:
    """A usage error in one line, with the command that shows what there is."""
    near = getattr(error, "possibilities", None)
    said = error.message.rstrip(".") if near else error.format_message().rstrip(".")
    said = said.replace(". Did you mean ", "; did you mean ").replace("', '", "' or '")
    if near:
        said = f"{said}; did you mean {' or '.join(near)}?"
    if error.ctx is not None:
        path = error.ctx.command_path
    else:  # an option without its argument
        path = f"servespec {wanted}" if wanted in command_names() else "servespec"
    return f"{said[:1].lower()}{said[1:]} (see `{path} --help`)"
