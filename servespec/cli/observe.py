"""``servespec observe``: read a start-up log and hold it against the prediction."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The start-up log; - reads standard input.")],
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", metavar="ENGINE", help="Whose log it is, where that is not clear."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option("--spec", "-s", metavar="FILE", help="The spec that the server was started from."),
    ] = None,
    format_name: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="text or json.")
    ] = "text",
    store_it: Annotated[
        bool, typer.Option("--store", help="Keep what was learned beside the spec, where check finds it.")
    ] = False,
    online: Annotated[bool, typer.Option("--online", help="Let model facts come from the Hub.")] = False,
) -> int:
    """Read what a start-up log says was allocated and, with a spec, compare it with the prediction.

    Exits with 0, or with 1 when the log says why the server did not start.
    """
    from servespec.cli._serving import deployment_of, read_text
    from servespec.errors import UsageError
    from servespec.smoke.observe import FORMATS, engine_of, observe, store, write

    if format_name not in FORMATS:
        raise UsageError(f"no format {format_name!r}; there are {', '.join(FORMATS)}")
    text = read_text(log)
    name = target or engine_of(text)
    deployment = None if spec is None else deployment_of(spec, name, online=online, is_up=True)
    reading = observe(text, name, deployment)
    sys.stdout.write(write(reading, format_name, colour=sys.stdout.isatty()))
    if store_it:
        folder = Path() if spec is None else spec.parent
        print(f"stored in {store(reading, folder, log.name)}", file=sys.stderr)
    return 1 if reading.observed.refusal is not None else 0
