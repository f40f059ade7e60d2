"""A Grafana dashboard with the metric names of this engine and version."""

from __future__ import annotations

from collections.abc import Iterator

from servespec.engines.launch import Launch
from servespec.engines.metrics import Metric
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.queries import metrics, quantile, rate, series
from servespec.render.words import dump_json

NEEDS = "a server that exposes metrics"
SCHEMA_VERSION = 39
"""Of Grafana 10.4's dashboards; later ones migrate it."""
WINDOW = "$__rate_interval"
WIDTH, HEIGHT, COLUMNS = 12, 8, 2
Query = tuple[str, str]


def supports(launch: Launch) -> bool:
    """Servers with a metrics endpoint."""
    return launch.metrics_path is not None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.grafana.json``."""
    panels = [
        _panel(number, title, unit, queries) for number, (title, unit, queries) in enumerate(_panels(job))
    ]
    source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
    }
    dashboard = {
        "x-servespec": job.header.field(),
        "uid": job.name[:40],
        "title": f"{job.deployment.spec.name} ({job.launch.engine} {job.launch.version})",
        "tags": ["inference", job.launch.engine],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }
    return (Artefact(f"{job.name}.grafana.json", dump_json(dashboard)),)


def _panels(job: Job) -> Iterator[tuple[str, str, list[Query]]]:
    found = metrics(job)
    requests = [(role, series(job, found[role])) for role in ("running", "waiting") if role in found]
    yield "Requests", "short", requests
    if "kv_usage" in found:
        yield "KV cache in use", "percentunit", [("share", series(job, found["kv_usage"]))]
    tokens = [("prompt", "prompt_tokens"), ("output", "output_tokens")]
    yield (
        "Tokens per second",
        "short",
        [(name, rate(job, found[role], WINDOW)) for name, role in tokens if role in found],
    )
    for role, title in (
        ("ttft", "Time to first token"),
        ("itl", "Inter-token latency"),
        ("e2e", "Time of a request"),
        ("queue_time", "Time in the queue"),
    ):
        if role in found:
            yield title, "s", _quantiles(job, found[role])
    if "preemptions" in found:
        yield "Preemptions per second", "short", [("preemptions", rate(job, found["preemptions"], WINDOW))]
    if "cached_tokens" in found and "looked_up_tokens" in found:
        share = (
            f"{rate(job, found['cached_tokens'], WINDOW)} / {rate(job, found['looked_up_tokens'], WINDOW)}"
        )
        yield "Prefix cache hits", "percentunit", [("share", share)]


def _quantiles(job: Job, metric: Metric) -> list[Query]:
    return [(f"p{share * 100:g}", quantile(job, metric, share, WINDOW)) for share in (0.5, 0.95, 0.99)]


def _panel(number: int, title: str, unit: str, queries: list[Query]) -> dict[str, object]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": source, "expr": query, "legendFormat": name}
            for place, (name, query) in enumerate(queries)
        ],
    }
