"""The smoke test of one deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines import get_engine
from servespec.engines.observed import Observed
from servespec.errors import UnmodelledError
from servespec.runtime.run import api_key_of
from servespec.smoke.client import ProbeFailed
from servespec.smoke.probe import Server
from servespec.smoke.reconcile import Comparison, merge, reconcile
from servespec.smoke.report import SmokeReport
from servespec.smoke.run_probes import run_probes, suite_of

if TYPE_CHECKING:
    from servespec.deployment import Deployment

PROBE_SECONDS = 120.0
"""A cold server's first answer may compile kernels; a probe waits that long."""


def smoke(
    deployment: Deployment, url: str, log: Observed | None = None, *, suite: str = "basic"
) -> SmokeReport:
    """Probe a running server and hold its memory against the prediction.

    ``log`` is what its start-up log says, where there is one: a server reached by URL alone tells less.
    ``suite`` is one of ``run_probes.SUITES``. Raises UsageError when there is no such suite, or when the key that
    the spec refers to is not set.
    """
    engine = get_engine(deployment.engine)
    launch = engine.lower(deployment)
    max_model_len = max_model_len_of(deployment)
    server = Server(
        url=url.rstrip("/"),
        model=launch.served_model_name,
        max_model_len=max_model_len,
        api_key=api_key_of(deployment),
        timeout_seconds=PROBE_SECONDS,
    )
    results = run_probes(suite_of(suite, deployment, launch.health_path), server)
    comparisons: tuple[Comparison, ...] = ()
    note = None
    try:
        seen = merge(log or Observed(engine=engine.name), engine.observe_server(server))
        comparisons = reconcile(engine.budget(deployment), seen, max_model_len)
        if not comparisons:
            note = "the server says nothing about its memory"
    except UnmodelledError as unmodelled:
        note = f"nothing was predicted: {unmodelled}"
    except ProbeFailed as failure:
        note = f"the server could not be asked about its memory: {failure}"
    return SmokeReport(
        name=deployment.spec.name,
        engine=engine.name,
        version=deployment.version,
        url=server.url,
        results=results,
        comparisons=comparisons,
        note=note,
    )


def max_model_len_of(deployment: Deployment) -> int | None:
    """The longest request that the deployment takes, by whatever name the engine calls it."""
    for name in ("max_model_len", "context_length", "max_total_tokens"):
        value = deployment.settings.value(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return deployment.spec.limits.max_model_len
