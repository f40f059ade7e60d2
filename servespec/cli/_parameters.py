"""Arguments and options that several commands have, each written down once.

A command annotates its parameter with one of these and gives the default itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from servespec.engines import engine_names


def one_of(names: Callable[[], Sequence[str]]) -> Callable[[Any], Any]:
    """A callback that lets only these values through: one, a list of them, or none."""

    def check(value: Any) -> Any:
        for one in value if isinstance(value, list) else [value]:
            if one is not None and one not in names():
                raise typer.BadParameter(f"{one!r} is none of {', '.join(names())}")
        return value

    return check


def choice(*flags: str, names: Callable[[], Sequence[str]], metavar: str, help: str) -> Any:
    """An option that takes one of some names, which the shell completes."""
    return typer.Option(
        *flags, metavar=metavar, help=help, callback=one_of(names), autocompletion=lambda: list(names())
    )


def format_option(*names: str) -> Any:
    """``--format`` with these names."""
    told = f"{', '.join(names[:-1])} or {names[-1]}."
    return choice("--format", "-f", names=lambda: names, metavar="FORMAT", help=told)


SpecFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="The spec; '-' reads standard input.", show_default=False, readable=False
    ),
]
"""``readable=False`` leaves it to the reader of specs to say what is wrong, as it does in ``check``."""

SpecFiles = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Specs, folders, globs; '-' reads standard input.")
]
Target = Annotated[
    str | None,
    choice(
        "--target",
        "-t",
        names=engine_names,
        metavar="ENGINE",
        help="Which engine, where there are several.",
    ),
]
Targets = Annotated[
    list[str] | None,
    choice(
        "--target",
        "-t",
        names=engine_names,
        metavar="ENGINE",
        help="Only this engine; may be repeated.",
    ),
]
TextOrJson = Annotated[str, format_option("text", "json")]
Online = Annotated[bool, typer.Option("--online", help="Let model facts come from the Hugging Face Hub.")]
Overwrite = Annotated[bool, typer.Option("--force", help="Overwrite what is there already.")]
ReportFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the report there instead of standard output."),
]

EnginePython = Annotated[
    Path | None,
    typer.Option(
        "--engine-python",
        metavar="PYTHON",
        help="Python of the engine's environment; otherwise PATH is searched.",
    ),
]
ComposeWith = Annotated[
    str | None,
    choice(
        "--compose",
        names=lambda: ("auto", "docker", "podman"),
        metavar="WITH",
        help="Run the compose file with docker, podman or what there is (auto).",
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option("--time-limit", metavar="SECONDS", help="Longest start; default: by the weights."),
]
StartAnyway = Annotated[bool, typer.Option("--force", help="Start although the check refuses it.")]


def _url(value: str | None) -> str | None:
    if value is not None and not value.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{value!r} does not begin with http:// or https://")
    return value


ServerURL = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Take this server, which is up already, instead of starting one.",
        callback=_url,
    ),
]
