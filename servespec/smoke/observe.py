"""A start-up log read after the fact, and held against the prediction of the spec that it came from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.engines import engine_names, get_engine
from servespec.engines.observed import Observed
from servespec.errors import UnmodelledError, UsageError
from servespec.smoke.reconcile import Comparison, reconcile
from servespec.smoke.report import comparison_text, shown
from servespec.smoke.run import max_model_len_of

if TYPE_CHECKING:
    from servespec.deployment import Deployment

FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReading:
    """What a log says; with a deployment, what was predicted for it. ``note`` says why nothing is compared."""

    observed: Observed
    deployment: Deployment | None = None
    comparison: tuple[Comparison, ...] = ()
    note: str | None = None


def observe(log: str, engine_name: str | None = None, deployment: Deployment | None = None) -> LogReading:
    """Read a log. Whose it is follows from the deployment, ``engine_name``, or from what can be read in it.

    Raises UsageError when no engine's figures are in it.
    """
    if deployment is None:
        name = engine_name or engine_of(log)
        return LogReading(observed=get_engine(name).observe(log, None))
    engine = get_engine(deployment.engine)
    seen = engine.observe(log, deployment.version)
    try:
        rows = reconcile(engine.budget(deployment), seen, max_model_len_of(deployment))
    except UnmodelledError as unmodelled:
        return LogReading(observed=seen, deployment=deployment, note=f"nothing was predicted: {unmodelled}")
    note = None if rows else "the log has no figure that was predicted"
    return LogReading(observed=seen, deployment=deployment, comparison=rows, note=note)


def engine_of(log: str) -> str:
    """The engine in whose log most figures are found, else the only one that knows the refusal.

    Raises UsageError when that is none, or more than one.
    """
    readings = {name: get_engine(name).observe(log, None) for name in engine_names()}
    found = {name: len(_memory_figures(seen)) for name, seen in readings.items()}
    if not any(found.values()):
        found = {name: seen.refusal_kind not in (None, "crashed") for name, seen in readings.items()}
    best = [name for name, count in found.items() if count == max(found.values()) > 0]
    if not best:
        raise UsageError(
            f"nothing in this log is a figure that one of {', '.join(engine_names())} prints at start: hand over "
            "the server's whole log, from its first line"
        )
    if len(best) != 1:
        raise UsageError(f"whose log this is cannot be told: name {', '.join(engine_names())} with --target")
    return best[0]


def _memory_figures(observed: Observed) -> dict[str, object]:
    return {name: value for name, value in figures_of(observed).items() if not name.startswith("refusal")}


def figures_of(observed: Observed) -> dict[str, object]:
    """What was read, without what was not."""
    skipped = ("engine", "ready", "precision", "ranks")
    return {
        item.name: getattr(observed, item.name)
        for item in fields(observed)
        if item.name not in skipped and getattr(observed, item.name) is not None
    }


def write(reading: LogReading, format_name: str, *, colour: bool = False) -> str:
    """The reading in one of ``FORMATS``."""
    observed = reading.observed
    if format_name == "json":
        document = {
            "engine": observed.engine,
            "ready": observed.ready,
            "observed": figures_of(observed),
            "precision": dict(observed.precision),
            "ranks": {rank: dict(said) for rank, said in observed.ranks.items()},
            "comparison": [asdict(row) | {"difference": row.difference} for row in reading.comparison],
            "note": reading.note,
        }
        return json.dumps(document, indent=2) + "\n"
    state = "started" if observed.ready else "was refused" if observed.refusal else "is not seen to be ready"
    lines = [f"{observed.engine} {observed.version or ''}".rstrip() + f" {state}"]
    if observed.refusal:
        lines.append(f"  reason: {observed.refusal}")
    lines += [
        f"  {name.removesuffix('_bytes').replace('_', ' ')}: {_figure(name, value)}"
        for name, value in figures_of(observed).items()
        if name not in ("version", "refusal", "refusal_kind")
    ]
    tables = comparison_text(reading.comparison, colour=colour) if reading.comparison else ""
    note = f"{reading.note}\n" if reading.note else ""
    return "\n".join(lines) + "\n" + tables + note


def _figure(name: str, value: object) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return shown(value, "bytes") if name.endswith("_bytes") else f"{value:,}"


def calibration_file(reading: LogReading, folder: Path) -> Path:
    """Where ``check`` looks for what was learned from a start of that engine version on that GPU."""
    from servespec.calibration.store import FOLDER

    if reading.deployment is None:
        raise UsageError("a calibration needs the spec that the server was started from: give --spec")
    deployment = reading.deployment
    return folder / FOLDER / f"{deployment.engine}-{deployment.version}-{deployment.gpu.name}.json"


def store(reading: LogReading, folder: Path, name: str) -> Path:
    """Derive a calibration from one log and write it beside the spec. Raises UsageError, SourceError."""
    from servespec.calibration.derive import derive
    from servespec.calibration.rows import Row
    from servespec.calibration.store import save_calibration
    from servespec.calibration.trial import budget_figures

    path = calibration_file(reading, folder)
    deployment = reading.deployment
    if deployment is None or not reading.observed.ready or not reading.comparison:
        raise UsageError(
            "only a log of a server that started, with figures that were predicted, can be stored"
        )
    seen = reading.observed
    measured = figures_of(replace(seen, cuda_graph_bytes=seen.cuda_graph_estimate_bytes))
    ranks = deployment.settings.value("tensor_parallel_size") or deployment.settings.value("tp_size")
    row = Row(
        id=name,
        engine=deployment.engine,
        version=deployment.version,
        gpu=deployment.gpu.name,
        spec={},
        predicted=budget_figures(get_engine(deployment.engine).budget(deployment)),
        measured={"outcome": "started", **measured},
        precision={field: round(half) for field, half in seen.precision.items()},
        eager=deployment.settings.flag("enforce_eager") or deployment.settings.flag("disable_cuda_graph"),
        tensor_parallel=ranks if isinstance(ranks, int) else 1,
    )
    calibrations = derive([row], name)
    if not calibrations:
        raise UsageError("the log does not say how large the KV cache is, so nothing can be learned from it")
    save_calibration(calibrations, path)
    return path
