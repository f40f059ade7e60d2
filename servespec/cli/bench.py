"""``servespec bench``: drive the spec's workload against a server and hold it against the objectives."""

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
    format_option,
)


def command(
    file: SpecFile,
    target: Target = None,
    url: ServerURL = None,
    engine_python: EnginePython = None,
    compose: ComposeWith = None,
    limit: TimeLimit = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of prompts and arrivals.")] = 0,
    format_name: Annotated[str, format_option("text", "json", "svg")] = "text",
    output: ReportFile = None,
    force: StartAnyway = False,
    online: Online = False,
) -> int:
    """Drive a server with the spec's workload and report latencies.

    Throughput, time to first token and time between tokens. Without a workload in the spec: 100 requests, 512 tokens
    in, 128 out, 32 at a time, or as long as the server takes. Exits with 0 when no request failed and every objective of the spec was met, else with 1.
    """
    from servespec.bench import bench, refuse_what_is_too_long, write
    from servespec.cli._inputs import write_atomically
    from servespec.cli._serving import Progress, choose_place, deployment_of, interruptible, started

    deployment = deployment_of(file, target, online=online, force=force, is_up=url is not None)
    refuse_what_is_too_long(deployment)  # before a server is started for it
    if url is not None:
        report = bench(deployment, url, seed=seed, tell=_tell)
    else:
        place = choose_place(deployment, engine_python, compose)
        progress = Progress(f"{deployment.spec.name} on {deployment.engine}")
        with interruptible(), started(deployment, place, progress, limit) as server:
            report = bench(deployment, server.url, seed=seed, tell=_tell)
    text = write(report, format_name)
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(str(output), text)
    return 0 if report.passed else 1


def _tell(done: int, wanted: int, seconds: float) -> None:
    """One line on a terminal, kept up to date; ten lines elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if done == wanted else ""
        print(f"\r{done}/{wanted} requests · {seconds:.0f} s ", end=end, file=sys.stderr, flush=True)
    elif done == wanted or done % max(1, wanted // 10) == 0:
        print(f"{done}/{wanted} requests · {seconds:.0f} s", file=sys.stderr, flush=True)
