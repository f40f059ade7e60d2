"""``servespec smoke``: probe a server and hold its memory against the prediction."""

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
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Probe this server instead of starting one.")
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
    suite: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="basic, or structured: grammars, prefix reuse, parallel sampling, tools, embeddings.",
        ),
    ] = "basic",
    limit: Annotated[
        float | None,
        typer.Option("--time-limit", metavar="SECONDS", help="Longest start; default: by the weights."),
    ] = None,
    format_name: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="text, json or junit.")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report there.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Start although the check refuses it.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Let model facts come from the Hub.")] = False,
) -> int:
    """Start the spec's server (or take one that is up), probe it, compare its memory with the prediction, stop it.

    Exits with 0 when every probe passes, 1 when one fails or the server does not start.
    """
    from servespec.cli._inputs import write_atomically
    from servespec.cli._serving import Progress, choose_place, deployment_of, interruptible, started
    from servespec.errors import UsageError
    from servespec.smoke import smoke
    from servespec.smoke.report import FORMATS, write
    from servespec.smoke.run_probes import SUITES

    if format_name not in FORMATS:
        raise UsageError(f"no format {format_name!r}; there are {', '.join(FORMATS)}")
    if suite not in SUITES:
        raise UsageError(f"no suite {suite!r}; there are {', '.join(SUITES)}")
    deployment = deployment_of(file, target, online=online, force=force, is_up=url is not None)
    if url is not None:
        report = smoke(deployment, url, suite=suite)
    else:
        place = choose_place(deployment, engine_python, compose)
        progress = Progress(f"{deployment.spec.name} on {deployment.engine}")
        with interruptible(), started(deployment, place, progress, limit) as server:
            report = smoke(deployment, server.url, server.observed(), suite=suite)
    text = write(report, format_name, colour=output is None and sys.stdout.isatty())
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(str(output), text)
    return 0 if report.passed else 1
