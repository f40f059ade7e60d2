"""Prometheus: what to scrape and what to alert on, as plain files and as objects of the Prometheus operator."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.pod import metadata, selector
from servespec.render.queries import Alert, alerts
from servespec.render.yaml_writer import dump_yaml

NEEDS = "a server that exposes metrics"
INTERVAL = "15s"


def supports(launch: Launch) -> bool:
    """Servers with a metrics endpoint."""
    return launch.metrics_path is not None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.scrape.yaml``, ``NAME.rules.yaml``, and ``NAME.monitoring.yaml`` for the operator."""
    header = job.header.comment()
    groups = {"groups": [{"name": job.name, "rules": [_rule(job, alert) for alert in alerts(job)]}]}
    return (
        Artefact(f"{job.name}.scrape.yaml", dump_yaml(_scrape(job), header=header)),
        Artefact(f"{job.name}.rules.yaml", dump_yaml(groups, header=header)),
        Artefact(
            f"{job.name}.monitoring.yaml",
            dump_yaml(
                _monitor(job),
                {
                    "apiVersion": "monitoring.coreos.com/v1",
                    "kind": "PrometheusRule",
                    "metadata": metadata(job),
                    "spec": groups,
                },
                header=header,
            ),
        ),
    )


def _scrape(job: Job) -> dict[str, object]:
    target = f"{job.connect_host}:{job.launch.port}"
    return {
        "scrape_configs": [
            {
                "job_name": job.cluster_name,
                "metrics_path": job.launch.metrics_path,
                "scrape_interval": INTERVAL,
                "static_configs": [{"targets": [target]}],
            }
        ]
    }


def _monitor(job: Job) -> dict[str, object]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata(job),
        "spec": {
            # The job label is the Service's name, which the rules ask for.
            "selector": {"matchLabels": selector(job)},
            "endpoints": [{"port": "http", "path": job.launch.metrics_path, "interval": INTERVAL}],
        },
    }


def _rule(job: Job, alert: Alert) -> dict[str, object]:
    waits = {"for": f"{alert.minutes}m"} if alert.minutes else {}
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **waits,
        "labels": {"severity": alert.severity, "deployment": job.name},
        "annotations": {"summary": alert.summary},
    }
