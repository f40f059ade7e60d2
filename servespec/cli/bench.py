"""``servespec bench``: drive the spec's workload against a server and hold it against the objectives."""

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
        str | None, typer.Option(metavar="URL", help="Drive this server instead of starting one.")
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
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of prompts and arrivals.")] = 0,
    format_name: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="text, json or svg.")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report there.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Start although the check refuses it.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Let model facts come from the Hub.")] = False,
) -> int:
    """Send the spec's workload and report throughput, time to first token and time between tokens.

    Without a workload in the spec: 100 requests, 512 tokens in, 128 out, 32 at a time. Exits with 0 when no
    request failed and every objective of the spec was met, else with 1.
    """
    from servespec.bench import bench, write
    from servespec.bench.report import FORMATS
    from servespec.cli._inputs import write_atomically
    from servespec.cli._serving import Progress, choose_place, deployment_of, interruptible, started
    from servespec.errors import UsageError

    if format_name not in FORMATS:
        raise UsageError(f"no format {format_name!r}; there are {', '.join(FORMATS)}")
    deployment = deployment_of(file, target, online=online, force=force, is_up=url is not None)
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
