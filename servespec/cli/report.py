"""``servespec report``: one self-contained HTML page for a spec or a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import Online, SpecFiles, Targets


def command(
    files: SpecFiles,
    target: Targets = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where the page goes; - is standard output.")
    ] = "report.html",
    smoke: Annotated[
        list[Path] | None,
        typer.Option(metavar="JSON", help="What `smoke --format json` wrote; may be given several times."),
    ] = None,
    bench: Annotated[
        list[Path] | None,
        typer.Option(metavar="JSON", help="What `bench --format json` wrote; may be given several times."),
    ] = None,
    plan: Annotated[
        list[Path] | None,
        typer.Option(metavar="JSON", help="What `plan --format json` wrote; may be given several times."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is no page of servespec's.")
    ] = False,
    online: Online = False,
) -> int:
    """Write one self-contained HTML page about specs.

    Verdicts, memory, findings, settings, commands, planned alternatives and evidence. Exits with 0 once the page is
    written, whatever it says: `check` is the command that fails.
    """
    from servespec.api import check
    from servespec.cli._inputs import load_inputs, write_atomically
    from servespec.errors import UsageError
    from servespec.report.page import GENERATOR, page, read_evidence
    from servespec.report.table import verdict_words

    if output != "-" and not force and Path(output).is_file():
        with Path(output).open(encoding="utf-8", errors="replace") as there:
            if GENERATOR not in there.read(2000):
                raise UsageError(f"{output} is no page of servespec's: name another file, or add --force")
    report = check(load_inputs(files), targets=tuple(target or ()), online=online)
    text = page(report, read_evidence(smoke or (), bench or (), report, plan or ()))
    if output == "-":
        sys.stdout.write(text)
        return 0
    write_atomically(output, text)
    words = ", ".join(f"{one.name or one.path}: {verdict_words(one.verdict)}" for one in report.files[:3])
    more = f" and {len(report.files) - 3} more" if len(report.files) > 3 else ""
    print(f"{output}: {words}{more}", file=sys.stderr)
    return 0
