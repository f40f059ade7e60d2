"""``servespec observe``: read a start-up log and hold it against the prediction."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import Online, Target, TextOrJson


def command(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The start-up log; - reads standard input.")],
    target: Target = None,
    spec: Annotated[
        Path | None,
        typer.Option("--spec", "-s", metavar="FILE", help="The spec that the server was started from."),
    ] = None,
    format_name: TextOrJson = "text",
    store_it: Annotated[
        bool, typer.Option("--store", help="Keep what was learned beside the spec, where check finds it.")
    ] = False,
    online: Online = False,
) -> int:
    """Read a start-up log and compare it with the prediction.

    Without a spec it shows what the log says was allocated. Exits with 0, or with 1 when the log says why the server
    did not start.
    """
    from servespec.cli._serving import deployment_of, read_text
    from servespec.smoke.observe import engine_of, observe, store, write

    text = read_text(log)
    name = target or engine_of(text)
    deployment = None if spec is None else deployment_of(spec, name, online=online, is_up=True)
    reading = observe(text, name, deployment)
    sys.stdout.write(write(reading, format_name, colour=sys.stdout.isatty()))
    if store_it:
        folder = Path() if spec is None else spec.parent
        print(f"stored in {store(reading, folder, log.name)}", file=sys.stderr)
    return 1 if reading.observed.refusal is not None else 0
