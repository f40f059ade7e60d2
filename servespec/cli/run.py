"""``servespec run``: check a spec, start its server, follow it, stop it cleanly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import (
    ComposeWith,
    EnginePython,
    Online,
    SpecFile,
    StartAnyway,
    Target,
    TimeLimit,
)


def command(
    file: SpecFile,
    target: Target = None,
    engine_python: EnginePython = None,
    compose: ComposeWith = None,
    limit: TimeLimit = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the server's log there too.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log while it starts.")] = False,
    force: StartAnyway = False,
    online: Online = False,
) -> int:
    """Check a spec, start its server and follow it.

    Ctrl-C (or SIGTERM) stops the server and everything that it started; a second one kills it. Exits with 0
    when it was stopped so, with 1 when it did not start or ended by itself, with the reason.
    """
    from contextlib import ExitStack

    from servespec.cli._serving import Progress, choose_place, deployment_of, interruptible, started

    deployment = deployment_of(file, target, online=online, force=force)
    place = choose_place(deployment, engine_python, compose)
    progress = None
    try:
        with ExitStack() as stack:
            stack.enter_context(interruptible())
            written = stack.enter_context(log.open("w", encoding="utf-8")) if log is not None else None
            progress = Progress(f"{deployment.spec.name} on {deployment.engine}", log=written, follow=verbose)
            server = stack.enter_context(started(deployment, place, progress, limit))
            progress.follow = True
            code = server.wait()
    except KeyboardInterrupt:
        if progress is None or not progress.is_ready:
            raise
        print(f"{deployment.engine} is stopped", file=sys.stderr)
        return 0
    print(f"servespec: {deployment.engine} ended by itself with exit code {code}", file=sys.stderr)
    return 1
