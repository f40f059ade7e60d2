"""Kubernetes' own HorizontalPodAutoscaler on the queue, and the rule by which prometheus-adapter tells of it.

The custom metrics API has no metric of an engine by itself: the adapter answers it from Prometheus. Of ``hpa`` and ``keda`` a
cluster takes one: two autoscalers of one Deployment work against each other.
"""

from __future__ import annotations

import re

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.formats.keda import GROWTH
from servespec.render.job import Job
from servespec.render.pod import metadata
from servespec.render.queries import QUEUED_REQUESTS, metrics
from servespec.render.yaml_writer import dump_yaml

NEEDS = "one node and a server that exposes metrics"
LONGEST_PERIOD_SECONDS, LONGEST_WINDOW_SECONDS = 1800, 3600
"""What autoscaling/v2 takes at most: HPAScalingPolicy.periodSeconds, HPAScalingRules.stabilizationWindowSeconds."""


def supports(launch: Launch) -> bool:
    """What is rendered as a Deployment and has metrics."""
    return launch.cluster is None and not launch.mounts and launch.metrics_path is not None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.hpa.yaml``, and ``NAME.adapter.values.yaml`` for the Helm chart of prometheus-adapter."""
    header = job.header.comment()
    return (
        Artefact(f"{job.name}.hpa.yaml", dump_yaml(_autoscaler(job), header=header)),
        Artefact(f"{job.name}.adapter.values.yaml", dump_yaml(_adapter(job), header=header)),
    )


def _metric(job: Job) -> str:
    """The metric's name as the API has it: a colon is none of its characters."""
    return re.sub(r"\W", "_", metrics(job)["waiting"].name)


def _autoscaler(job: Job) -> dict[str, object]:
    replicas, seconds = job.deployment.spec.deploy.replicas, job.launch.load_seconds
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(job),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": job.cluster_name},
            "minReplicas": replicas,
            "maxReplicas": replicas * GROWTH,
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": _metric(job)},
                        "target": {"type": "AverageValue", "averageValue": str(QUEUED_REQUESTS)},
                    },
                }
            ],
            # A replica is of no use before it has loaded: meanwhile the queue says nothing new.
            "behavior": {
                "scaleUp": {
                    "policies": [
                        {"type": "Pods", "value": 1, "periodSeconds": min(seconds, LONGEST_PERIOD_SECONDS)}
                    ]
                },
                "scaleDown": {"stabilizationWindowSeconds": min(seconds, LONGEST_WINDOW_SECONDS)},
            },
        },
    }


def _adapter(job: Job) -> dict[str, object]:
    """kubernetes-sigs/prometheus-adapter, docs/config.md: one rule of ``rules.custom``."""
    labels = ("namespace", "pod")
    return {
        "rules": {
            "custom": [
                {
                    "seriesQuery": f'{metrics(job)["waiting"].name}{{namespace!="",pod!=""}}',
                    "resources": {"overrides": {label: {"resource": label} for label in labels}},
                    "name": {"as": _metric(job)},
                    "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
                }
            ]
        }
    }
