"""One start on the GPU at hand, from the stand-in checkpoint to the row."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from servespec.calibration.rows import Row
from servespec.calibration.trial import Trial
from servespec.engines import get_engine
from servespec.errors import StartError
from servespec.runtime.running import StartFailed
from servespec.smoke.client import ProbeFailed
from servespec.smoke.probe import Server
from servespec.smoke.reconcile import merge

if TYPE_CHECKING:
    from servespec.engines.observed import Observed
    from servespec.runtime.place import Place
    from servespec.runtime.running import Watcher

SETTLE_SECONDS = 60.0
"""How long the memory of an engine that ended may take to come back."""

POLL_SECONDS = 0.5
SLACK_BYTES = 64 * 2**20

ROUNDING_BYTES = 5_368_709
"""Half of the 0.01 GiB to which engines round sizes in their logs."""
LOGGED = ("weights_bytes", "activation_bytes", "non_torch_bytes")
"""Sizes that only the log has; that of the KV cache is exact where a server answers."""


def measure(
    trial: Trial,
    place: Place,
    limit_seconds: float,
    watcher: Watcher | None = None,
    *,
    until_allocated: bool = False,
) -> Row:
    """Start, read what was allocated, stop, wait for the memory to come back. Nothing is left running.

    ``until_allocated`` stops as soon as the log tells how many tokens the KV cache holds, before graphs are
    captured and kernels compiled: the row then has the outcome ``allocated`` instead of ``started``.
    """
    from servespec.runtime import run

    gpus = trial.deployment.spec.hardware.count
    before = used_bytes(gpus)
    begun = time.monotonic()
    memory = {"before": before}
    try:
        enough = _is_allocated if until_allocated else None
        with run(
            trial.deployment, place, limit_seconds=limit_seconds, watcher=watcher, enough=enough
        ) as server:
            seen = server.observed() if until_allocated else _observe(trial, server.url, server.observed())
            memory["ready"] = used_bytes(gpus)
            outcome: dict[str, Any] = {"outcome": "allocated" if until_allocated else "started"}
    except StartFailed as failure:
        seen = failure.observed
        outcome = {"outcome": _outcome(failure), "error": failure.reason}
    seconds = time.monotonic() - begun
    memory["after"] = _settled(before)
    logged = LOGGED if outcome["outcome"] == "started" else (*LOGGED, "kv_cache_bytes")
    return _row(trial, {**outcome, **_figures(seen)}, logged, memory, seconds, seen.ranks)


def _is_allocated(seen: Observed) -> bool:
    return seen.kv_tokens is not None and seen.kv_cache_bytes is not None


def _observe(trial: Trial, url: str, log: Observed) -> Observed:
    engine = get_engine(trial.deployment.engine)
    server = Server(url=url, model=trial.id, max_model_len=None)
    try:
        return merge(log, engine.observe_server(server))
    except ProbeFailed:
        return log


def _outcome(failure: StartFailed) -> str:
    if failure.exit_code_of_server is None:
        return "timeout"
    kind = failure.observed.refusal_kind or ""
    if "memory" in kind and kind != "no_memory_for_kv":
        return "oom"
    return "refused" if kind else "failed"


def _figures(seen: Observed) -> dict[str, Any]:
    names = (
        "weights_bytes", "activation_bytes", "non_torch_bytes", "kv_cache_bytes", "kv_tokens", "num_blocks",
        "block_size", "max_concurrency", "estimated_max_model_len",
    )  # fmt: skip
    found = {name: getattr(seen, name) for name in names if getattr(seen, name) is not None}
    if seen.cuda_graph_estimate_bytes is not None:
        found["cuda_graph_bytes"] = seen.cuda_graph_estimate_bytes
    if seen.cuda_graph_bytes is not None:
        found["cuda_graph_captured_bytes"] = seen.cuda_graph_bytes
    return found


def _row(
    trial: Trial,
    measured: Mapping[str, Any],
    logged: Collection[str],
    memory: Mapping[str, tuple[int, ...]],
    seconds: float,
    ranks: Mapping[str, Mapping[str, Any]],
) -> Row:
    deployment = trial.deployment
    when = get_engine(deployment.engine).conditions(deployment)
    spec = deployment.spec.model_copy(
        update={"model": deployment.spec.model.model_copy(update={"id": deployment.model.id})}
    )
    return Row(
        id=trial.id,
        engine=deployment.engine,
        version=deployment.version,
        gpu=deployment.gpu.name,
        spec=spec.model_dump(mode="json", exclude_defaults=True),
        predicted=trial.predicted,
        measured=measured,
        precision={name: ROUNDING_BYTES for name in logged if name in measured},
        gpu_memory={when: max(used) for when, used in memory.items() if used},
        gpus_memory={when: used for when, used in memory.items() if len(used) > 1},
        ranks={rank: dict(said) for rank, said in ranks.items()},
        seconds=seconds,
        eager=when.eager,
        tensor_parallel=when.tensor_parallel,
    )


def used_bytes(count: int) -> tuple[int, ...]:
    """Used memory, by NVML, of each of the ``count`` GPUs that a server here runs on; none where there is no driver."""
    from servespec.errors import ServespecError
    from servespec.hardware.visible import server_gpus

    try:
        return tuple(gpu.used_bytes for gpu in server_gpus(count))
    except ServespecError:
        return ()


def _settled(before: tuple[int, ...]) -> tuple[int, ...]:
    """Wait until every GPU's used memory is back where it was. Raises StartError when it does not come back."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        used = used_bytes(len(before)) if before else ()
        kept = [(now - then, gpu) for gpu, (now, then) in enumerate(zip(used, before, strict=False))]
        most, gpu = max(kept, default=(0, 0))
        if most <= SLACK_BYTES:
            return used
        if time.monotonic() > deadline:
            raise StartError(
                f"GPU {gpu} still holds {most / 2**30:.2f} GiB more than before the start: something was left behind"
            )
        time.sleep(POLL_SECONDS)
