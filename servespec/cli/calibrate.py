"""``servespec calibrate``: measure an engine's terms on the GPU at hand, on random weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import EnginePython, choice
from servespec.engines import engine_names


def command(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Specs to start; default: a set of shapes.")
    ] = None,
    engine: Annotated[
        str, choice("--target", "-t", names=engine_names, metavar="ENGINE", help="Which engine.")
    ] = "vllm",
    rows: Annotated[
        Path,
        typer.Option("--rows", metavar="FILE", help="One JSON line a start; starts that it has are skipped."),
    ] = Path("calibration-rows.jsonl"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where the calibration goes.")
    ] = None,
    engine_python: EnginePython = None,
    limit: Annotated[float, typer.Option("--time-limit", metavar="SECONDS", help="Longest start.")] = 600.0,
    budget_seconds: Annotated[
        float | None, typer.Option("--stop-after", metavar="SECONDS", help="Begin no start after so long.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--engine-version", metavar="VERSION", help="Follow this version; default: the one installed."
        ),
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(metavar="GPU", help="Predict for this GPU instead of the spec's.")
    ] = None,
    until_allocated: Annotated[
        bool,
        typer.Option(
            "--until-allocated",
            help="Stop each start when its KV cache is sized: no graphs, no proof that it serves.",
        ),
    ] = False,
    predict_only: Annotated[
        bool, typer.Option("--predict", help="Write down the predictions and start nothing.")
    ] = False,
) -> int:
    """Measure an engine's memory terms on the GPU at hand.

    Starts the engine on random weights for each spec and reads what it allocates. `check` finds the calibration beside
    its specs and uses it for this GPU, engine and version. Exits with 0 when every start gave a row, 1 when one could
    not be tried.
    """
    from servespec.calibration.session import Session, default_specs, installed_version
    from servespec.cli._serving import interruptible

    session = Session(
        engine=engine,
        specs=tuple(files) if files else default_specs(engine),
        rows=rows,
        engine_python=engine_python,
        limit_seconds=limit,
        stop_after_seconds=budget_seconds,
        version=version or installed_version(engine, engine_python),
        gpu=gpu,
        until_allocated=until_allocated,
    )
    if predict_only:
        for line in session.predictions():
            print(line, flush=True)
        return 0
    with interruptible():
        failed = session.run(lambda line: print(line, file=sys.stderr, flush=True))
    target = session.store(output)
    if target is not None:
        print(f"calibration written: {target}", file=sys.stderr)
    return 1 if failed else 0
