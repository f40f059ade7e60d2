"""PromQL for what an engine's metrics tell, the same for alerts and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from servespec.engines.metrics import Metric, metrics_of
from servespec.render.job import Job

QUEUED_REQUESTS = 10
"""Policy: fewer are the ripple of a batch that is full for a moment."""
FULL_SHARE = 0.95
"""Policy: from here on the engine preempts or holds back requests."""
RESTARTS = 2
"""Policy: more of them in half an hour are a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: when, for how long, how bad, and what a person should know."""

    name: str
    expression: str
    minutes: int
    severity: str
    summary: str


def metrics(job: Job) -> Mapping[str, Metric]:
    """The metrics of the launch's engine and version."""
    return metrics_of(job.launch.engine, job.deployment.version)


def series(job: Job, metric: Metric, suffix: str = "") -> str:
    """The metric of this deployment alone."""
    return f'{metric.name}{suffix}{{job="{job.cluster_name}"}}'


def rate(job: Job, metric: Metric, window: str, suffix: str = "") -> str:
    """Its growth a second."""
    return f"sum(rate({series(job, metric, suffix)}[{window}]))"


def quantile(job: Job, metric: Metric, share: float, window: str) -> str:
    """A quantile of a histogram."""
    buckets = f"sum by (le) (rate({series(job, metric, '_bucket')}[{window}]))"
    return f"histogram_quantile({share:g}, {buckets})"


def alerts(job: Job) -> tuple[Alert, ...]:
    """What people have to be told, as far as the engine's metrics can tell it."""
    found = metrics(job)
    made = [
        Alert(
            name="InferenceServerDown",
            expression=f'up{{job="{job.cluster_name}"}} == 0',
            minutes=5,
            severity="critical",
            summary="The server does not answer the scrape.",
        )
    ]
    if "waiting" in found:
        waiting = series(job, found["waiting"])
        made.append(
            Alert(
                name="InferenceQueueGrows",
                expression=f"{waiting} > {QUEUED_REQUESTS} and deriv({waiting}[10m]) > 0",
                minutes=10,
                severity="warning",
                summary="More requests come than are served: add replicas or lower the load.",
            )
        )
    if "kv_usage" in found:
        made.append(
            Alert(
                name="InferenceCacheNearlyFull",
                expression=f"{series(job, found['kv_usage'])} > {FULL_SHARE}",
                minutes=10,
                severity="warning",
                summary="The KV cache is nearly full: requests are about to be preempted or held back.",
            )
        )
    if "running" in found and "output_tokens" in found:
        made.append(
            Alert(
                name="InferenceMakesNoTokens",
                expression=f"sum({series(job, found['running'])}) > 0 and {rate(job, found['output_tokens'], '5m')} == 0",
                minutes=5,
                severity="critical",
                summary="Requests run and no token comes: the engine hangs.",
            )
        )
    if "output_tokens" in found:
        made.append(
            Alert(
                name="InferenceServerRestarts",
                expression=f"resets({series(job, found['output_tokens'])}[30m]) > {RESTARTS}",
                minutes=0,
                severity="critical",
                summary="The server started again and again within half an hour.",
            )
        )
    return (*made, *_objectives(job, found))


def _objectives(job: Job, found: Mapping[str, Metric]) -> list[Alert]:
    objectives = job.deployment.spec.objectives
    if objectives is None:
        return []
    limits = (
        ("ttft", "InferenceFirstTokenLate", objectives.ttft_ms, "The first token"),
        ("itl", "InferenceTokensSlow", objectives.itl_ms, "A further token"),
    )
    return [
        Alert(
            name=name,
            expression=f"{quantile(job, found[role], 0.95, '10m')} > {limit / 1000:g}",
            minutes=10,
            severity="warning",
            summary=f"{what} takes longer than the objective of {limit:g} ms for one request in twenty.",
        )
        for role, name, limit, what in limits
        if limit is not None and role in found
    ]
