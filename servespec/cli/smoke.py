"""``servespec smoke``: probe a server and hold its memory against the prediction."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from servespec.cli._parameters import (
    ComposeWith,
    EnginePython,
    Online,
    ReportFile,
    ServerURL,
    SpecFile,
    StartAnyway,
    Target,
    TimeLimit,
    choice,
    format_option,
)


def _suites() -> tuple[str, ...]:
    from servespec.smoke.run_probes import SUITES

    return SUITES


def command(
    file: SpecFile,
    target: Target = None,
    url: ServerURL = None,
    engine_python: EnginePython = None,
    compose: ComposeWith = None,
    suite: Annotated[
        str,
        choice(
            "--suite",
            names=_suites,
            metavar="NAME",
            help="basic, or structured: grammars, prefix reuse, parallel sampling, tools, embeddings.",
        ),
    ] = "basic",
    limit: TimeLimit = None,
    format_name: Annotated[str, format_option("text", "json", "junit")] = "text",
    output: ReportFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 when the memory prediction is off, too.")
    ] = False,
    force: StartAnyway = False,
    online: Online = False,
) -> int:
    """Probe a server and compare its memory with the prediction.

    Starts the spec's server and stops it, or takes one that is up (--url). Exits with 0 when every probe passes, 1 when
    one fails or the server does not start.
    """
    from servespec.cli._inputs import write_atomically
    from servespec.cli._serving import Progress, choose_place, deployment_of, interruptible, started
    from servespec.smoke import smoke
    from servespec.smoke.report import write

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
    return 0 if report.passed and not (strict and report.off) else 1
