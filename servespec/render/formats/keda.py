"""KEDA: replicas by the length of the queue, which tells of load before latency does."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.pod import metadata
from servespec.render.queries import QUEUED_REQUESTS, metrics, series
from servespec.render.yaml_writer import dump_yaml

NEEDS = "one node and a server that exposes metrics"
PROMETHEUS = "http://prometheus-operated.monitoring.svc:9090"
"""Where the Prometheus operator's own Service is; people with another change this line by a template or overlay."""
GROWTH = 4
"""Policy: at most four times the replicas of the spec."""


def supports(launch: Launch) -> bool:
    """What is rendered as a Deployment and has metrics."""
    return launch.cluster is None and not launch.mounts and launch.metrics_path is not None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.keda.yaml``."""
    replicas = job.deployment.spec.deploy.replicas
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(job),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": job.cluster_name},
            "minReplicaCount": replicas,
            "maxReplicaCount": replicas * GROWTH,
            # A replica is of no use before it has loaded: scaling down sooner would undo what was just begun.
            "cooldownPeriod": job.launch.load_seconds,
            "triggers": [
                {
                    "type": "prometheus",
                    "metadata": {
                        "serverAddress": PROMETHEUS,
                        "query": f"sum({series(job, metrics(job)['waiting'])})",
                        "threshold": str(QUEUED_REQUESTS),
                    },
                }
            ],
        },
    }
    return (Artefact(f"{job.name}.keda.yaml", dump_yaml(scaled, header=job.header.comment())),)
