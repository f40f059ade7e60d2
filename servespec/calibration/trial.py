"""A spec made ready for a start on random weights, and what the start was predicted to take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servespec.calibration.checkpoint import write_checkpoint
from servespec.engines import get_engine
from servespec.errors import UnmodelledError, UsageError
from servespec.spec.model import Target

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.memory.budget import MemoryBudget
    from servespec.spec.model import Spec

FIGURES = (
    "device_bytes", "budget_bytes", "kv_cache_bytes", "kv_tokens", "max_concurrency", "uncertainty_bytes",
    "estimated_max_model_len",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One start to be made: the deployment with its stand-in checkpoint, and the prediction, made first."""

    id: str
    deployment: Deployment
    predicted: dict[str, Any]


def prepare(
    name: str,
    spec: Spec,
    engine_name: str,
    directory: Path,
    work: Path,
    *,
    version: str | None,
    gpu: str | None,
) -> Trial:
    """Resolve the spec, predict, and write its stand-in checkpoint under ``work``.

    ``version`` and ``gpu`` replace what the spec says. The model's facts stay those of the spec; the server is pointed at the stand-in. Raises UsageError for
    an engine that cannot start without real weights, and what resolving raises.
    """
    from servespec.api import resolve
    from servespec.models.lookup import locate

    engine = get_engine(engine_name)
    trial_args = engine.random_weights_args()
    if trial_args is None:
        raise UsageError(f"{engine.title} cannot start on random weights, so that it cannot be calibrated")
    target = spec.targets.get(engine_name, Target())
    changes: dict[str, Any] = {"args": {**trial_args, **target.args}}
    if version is not None:
        changes["version"] = version
    server = spec.server.model_copy(update={"host": "127.0.0.1", "served_model_name": name})
    hardware = spec.hardware if gpu is None else spec.hardware.model_copy(update={"gpu": gpu})
    spec = spec.model_copy(
        update={
            "targets": {engine_name: target.model_copy(update=changes)},
            "server": server,
            "hardware": hardware,
        }
    )
    deployment = resolve(spec, engine_name, directory)
    predicted = _predicted(deployment)
    found = locate(spec.model, directory, online=False)
    folder = write_checkpoint(found.config, work / name, found.hf_quant_config)
    stand_in = spec.model.model_copy(update={"id": str(folder), "revision": None})
    return Trial(
        id=name,
        deployment=replace(deployment, spec=spec.model_copy(update={"model": stand_in})),
        predicted=predicted,
    )


def _predicted(deployment: Deployment) -> dict[str, Any]:
    try:
        budget = get_engine(deployment.engine).budget(deployment)
    except UnmodelledError as error:
        return {"verdict": "unknown", "reason": str(error)}
    return {"verdict": str(budget.verdict), **budget_figures(budget)}


def budget_figures(budget: MemoryBudget) -> dict[str, Any]:
    """The budget's figures by the names of the report."""
    return {
        "weights_bytes": budget.weights.size_bytes,
        "activation_bytes": budget.activation.size_bytes,
        "non_torch_bytes": budget.non_torch.size_bytes,
        "cuda_graph_bytes": budget.cuda_graph.size_bytes,
        **{name: getattr(budget, name) for name in FIGURES},
    }
