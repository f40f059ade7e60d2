"""``servespec plan``: which GPUs, how many, and how the model is spread over them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from servespec.cli._parameters import Online, Overwrite, SpecFile, Targets, TextOrJson

if TYPE_CHECKING:
    from servespec.plan.evaluate import Fit
    from servespec.spec.model import Model, Spec


def command(
    file: SpecFile,
    gpus: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Only these GPUs, separated by commas, each with its own answer; default: all.",
        ),
    ] = None,
    target: Targets = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Prices per GPU and hour: {currency: USD, gpus: {H100-80GB: 2.5}}."
        ),
    ] = None,
    vary: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="What may vary: tensor, pipeline, data, kv_dtype, context, quantization."
        ),
    ] = "tensor,pipeline,data",
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Another checkpoint of the model: an id of the catalogue, or its config.json.",
        ),
    ] = None,
    nodes: Annotated[
        int, typer.Option(metavar="N", help="Most nodes of one replica, where one cannot serve it.")
    ] = 2,
    headroom: Annotated[
        float, typer.Option(metavar="FACTOR", help="Replicas for this many times the rate.")
    ] = 1.2,
    network_gbps: Annotated[
        float, typer.Option(metavar="GBPS", help="Gbit/s of each GPU between nodes.")
    ] = 400.0,
    output_format: TextOrJson = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the best answer as a spec.")
    ] = None,
    force: Overwrite = False,
    online: Online = False,
) -> int:
    """Search the GPUs and splits that serve a workload.

    It says why the rest does not. Every answer fits by the same budget as `servespec check`; throughput and latency are
    estimates. Exits with 1 when nothing serves the workload.
    """
    from servespec.cli._inputs import load_one, unreadable
    from servespec.errors import UsageError
    from servespec.plan import Wishes, plan
    from servespec.plan.prices import read
    from servespec.plan.report import as_json, as_text
    from servespec.report.style import style_of

    if output is not None and output.exists() and not force:
        raise UsageError(f"{output} is there already: --force overwrites it")
    loaded = load_one(file)
    if loaded.spec is None:
        raise unreadable(loaded)
    if network_gbps <= 0:
        raise UsageError(f"--network-gbps is more than 0, not {network_gbps:g}")
    wishes = Wishes(
        gpus=_names(gpus),
        engines=tuple(target or ()),
        vary=frozenset(_names(vary)),
        prices=read(prices) if prices else None,
        further=tuple(_model(loaded.spec.model, name, loaded.directory) for name in model or ()),
        most_nodes=nodes,
        headroom=headroom,
        network_gbps=network_gbps,
    )
    found = plan(loaded.spec, loaded.directory, wishes, online=online)
    sys.stdout.write(
        as_json(found) if output_format == "json" else as_text(found, style_of(sys.stdout).width)
    )
    if found.best is None:
        return 1
    return 0 if output is None else _write(found.best, loaded.spec, loaded.directory, output)


def _write(best: Fit, spec: Spec, directory: Path, output: Path) -> int:
    """The best answer as a spec, which has to pass the check itself."""
    from servespec.cli._inputs import write_atomically
    from servespec.memory.budget import Verdict
    from servespec.plan.winner import confirm, text_of
    from servespec.report.table import verdict_words

    text = text_of(best, spec, directory, output.parent)
    report = confirm(text, best.candidate.engine, output.parent)
    write_atomically(str(output), text)
    sys.stderr.write(f"{output}: {verdict_words(report.verdict)} by servespec check\n")
    return 0 if report.verdict is Verdict.fits else 1


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in (text or "").split(",")) if name)


def _model(own: Model, name: str, directory: Path) -> Model:
    """Another checkpoint: a file or folder that is there, relative to here, or else an id."""
    import os

    path = Path(name)
    changes: dict[str, str | None] = {"id": name, "config": None, "revision": None, "quantization": None}
    if path.exists():
        changes |= {"id": own.id, "config": os.path.relpath(path.resolve(), directory.resolve())}
    return own.model_copy(update=changes)
