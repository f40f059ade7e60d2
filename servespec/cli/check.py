"""``servespec check``: validate specs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from servespec.cli._options import Argument, Option
from servespec.engines import engine_names
from servespec.report import format_names

if TYPE_CHECKING:
    from collections.abc import Callable

ARGUMENT = Argument(name="files", metavar="FILE", help="Specs, folders, globs; '-' reads standard input.")
OPTIONS = (
    Option(
        name="output_format",
        flags=("--format", "-f"),
        kind="value",
        default="text",
        metavar="FORMAT",
        help="How to tell it: text, concise, github, gitlab, json, junit or sarif.",
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
    Option(name="fix", flags=("--fix",), help="Make the safe fixes; comments and order stay."),
    Option(
        name="unsafe_fixes", flags=("--unsafe-fixes",), help="With --fix or --diff: also fixes that guess."
    ),
    Option(name="diff", flags=("--diff",), help="Show what --fix would do, and write nothing."),
    Option(
        name="add_ignores",
        flags=("--add-ignores",),
        kind="value",
        metavar="REASON",
        help="Write an ignore comment with this reason for every finding there is (a baseline).",
    ),
    Option(
        name="output",
        flags=("--output", "-o"),
        kind="value",
        metavar="FILE",
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
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    add_ignores: str | None,
    output: str | None,
) -> int:
    """Validate specs: language, engine flags and GPU memory.

    Exits with 0 when nothing is an error, 1 when something is, 2 when nothing could be checked.
    """
    from servespec.check import Options, check_files
    from servespec.cli._inputs import expand, load_all
    from servespec.control.govern import Selection, check_codes
    from servespec.report import write
    from servespec.report.style import style_of

    check_codes((*select, *ignore))
    options = Options(targets=targets, online=online, selection=Selection(select, ignore))
    paths = expand(files)
    loaded = load_all(paths)
    if diff:
        from servespec.cli._fixing import show_diff

        return show_diff(loaded, options, unsafe=unsafe_fixes)
    if fix or unsafe_fixes:
        from servespec.cli._fixing import fix_all

        report = fix_all(loaded, options, unsafe=unsafe_fixes)
    elif add_ignores is not None:
        from servespec.cli._fixing import ignore_all

        report = ignore_all(loaded, options, add_ignores)
    elif len(paths) > 1 and "-" not in paths:
        from servespec.parallel import check_paths

        report = check_paths(paths, options)
    else:
        report = check_files(loaded, options)
    if output is None:
        sys.stdout.write(write(report, output_format, style_of(sys.stdout)))
    else:
        from servespec.cli._inputs import write_atomically

        write_atomically(output, write(report, output_format))
    return 0 if exit_zero else report.exit_code(strict=strict)


def __getattr__(name: str) -> Callable[..., int]:
    """``command`` with Typer's signature; a plain call does without it."""
    if name == "command":
        from servespec.cli._options import typer_command

        return typer_command(check, ARGUMENT, OPTIONS)
    raise AttributeError(name)
