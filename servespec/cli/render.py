"""``servespec render``: write the launch artefacts of a spec."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import Online, SpecFile, Targets


def _formats() -> list[str]:
    from servespec.render import format_names

    return [*format_names(), "all", "list"]


def command(
    file: SpecFile,
    target: Targets = None,
    format_name: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="What to write (compose); may be repeated; 'all' writes every format, 'list' names them.",
            autocompletion=_formats,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write files there instead of standard output."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 when files in DIR (here) differ.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that were changed by hand.")
    ] = False,
    templates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Templates that go before servespec's own, by the same paths."),
    ] = None,
    online: Online = False,
) -> int:
    """Write what starts the server, from scripts to manifests.

    Several engines get a folder each. Exits with 0 when all is written (with --check: up to date), 1
    when the spec is refused or files differ, 2 when nothing could be done.
    """
    from servespec.cli._inputs import load_one
    from servespec.render import drift, format_names, write
    from servespec.render.request import make

    if format_name == ["list"]:
        print("\n".join(format_names()))
        return 0
    made = make(
        load_one(file),
        targets=target or (),
        formats=format_name or ("compose",),
        templates=templates,
        online=online,
        folder=output,
    )
    sys.stderr.write(made.report)
    if made.is_refused:
        return 1
    if check:
        differences = list(drift(made.artefacts, output or Path()))
        sys.stdout.writelines(differences)
        return 1 if differences else 0
    if output is not None:
        for path in write(made.artefacts, output, force=force):
            print(path)
        return 0
    several = len(made.artefacts) > 1
    for artefact in made.artefacts:
        sys.stdout.write((f"==> {artefact.path} <==\n" if several else "") + artefact.text)
    return 0
