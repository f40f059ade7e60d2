"""``servespec run``: check a spec, start its server, follow it, stop it cleanly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The spec.")],
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", metavar="ENGINE", help="Which engine, where there are several."),
    ] = None,
    engine_python: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON", help="Python of the engine's environment; otherwise PATH is searched."
        ),
    ] = None,
    compose: Annotated[
        str | None,
        typer.Option(
            metavar="WITH", help="Run the compose file with docker, podman or what there is (auto)."
        ),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option("--time-limit", metavar="SECONDS", help="Longest start; default: by the weights."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the server's log there too.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log while it starts.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Start although the check refuses it.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Let model facts come from the Hub.")] = False,
) -> int:
    """Check a spec, start its server, wait until the model answers, and follow its log.

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
