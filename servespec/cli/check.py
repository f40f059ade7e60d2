"""``servespec check``: validate specs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from servespec.cli._options import Argument, Option
from servespec.engines import engine_names
from servespec.report import format_names

if TYPE_CHECKING:
    from collections.abc import Callable

ARGUMENT = Argument(name="files", metavar="FILE…", help="Specs, folders, globs; '-' reads standard input.")
OPTIONS = (
    Option(
        name="output_format",
        flags=("--format", "-f"),
        kind="value",
        default="text",
        metavar="FORMAT",
        help="How to tell it: text, concise, json, sarif, github, gitlab, junit.",
        choices=format_names,
    ),
    Option(name="strict", flags=("--strict",), help="Warnings count as errors."),
    Option(
        name="exit_zero", flags=("--exit-zero",), help="Exit with 0 whatever is found (for SARIF uploads)."
    ),
    Option(
        name="select",
        flags=("--select",),
        kind="list",
        metavar="CODES",
        help="Only findings with these codes or beginnings of codes: SV1,SV402.",
    ),
    Option(name="ignore", flags=("--ignore",), kind="list", metavar="CODES", help="No findings with these."),
    Option(
        name="targets",
        flags=("--target", "-t"),
        kind="list",
        metavar="ENGINE",
        help="Only these engines.",
        choices=engine_names,
    ),
    Option(name="online", flags=("--online",), help="Let model facts come from the Hugging Face Hub."),
    Option(
        name="output",
        flags=("--output", "-o"),
        kind="value",
        metavar="PATH",
        help="Write the report to a file instead of standard output.",
    ),
)


def check(
    files: tuple[str, ...],
    *,
    output_format: str,
    strict: bool,
    exit_zero: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    targets: tuple[str, ...],
    online: bool,
    output: str | None,
) -> int:
    """Validate specs: the language, the flags of each engine version, and the GPU memory.

    Exits with 0 when nothing is an error, 1 when something is, 2 when nothing could be checked.
    """
    from servespec.cli._inputs import load_inputs
    from servespec.report import write
    from servespec.report.style import style_of

    report = _check(load_inputs(files), targets, online)
    report = report.narrowed(select, ignore)
    if output is None:
        sys.stdout.write(write(report, output_format, style_of(sys.stdout)))
    else:
        from servespec.cli._inputs import write_atomically

        write_atomically(output, write(report, output_format))
    return 0 if exit_zero else report.exit_code(strict=strict)


def _check(loaded: Any, targets: tuple[str, ...], online: bool) -> Any:
    from servespec.api import check as check_specs

    return check_specs(loaded, targets=targets, online=online)


def __getattr__(name: str) -> Callable[..., int]:
    """``command`` with Typer's signature; a plain call does without it."""
    if name == "command":
        from servespec.cli._options import typer_command

        return typer_command(check, ARGUMENT, OPTIONS)
    raise AttributeError(name)
