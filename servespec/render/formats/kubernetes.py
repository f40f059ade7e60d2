"""Kubernetes: Deployment, Service, the claim for weights, and what keeps replicas up during maintenance."""

from __future__ import annotations

from collections.abc import Mapping

from servespec.engines.launch import Launch
from servespec.engines.loading import model_bytes
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.pod import (
    claim_name,
    is_renderable,
    labels,
    metadata,
    pod_spec,
    secret_note,
    selector,
)
from servespec.render.yaml_writer import dump_yaml

GIB = 2**30
ROOM = 2
"""Policy: the claim holds two revisions of the checkpoint, so that an update can be rolled back."""
PROGRESS_MARGIN_SECONDS = 600
"""Policy: pulling an image of ten gigabytes and finding a node come before loading."""

NEEDS = "one node, and a model that is no folder of this machine"


def supports(launch: Launch) -> bool:
    """One node; several are a LeaderWorkerSet."""
    return is_renderable(launch) and launch.cluster is None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.kubernetes.yaml``."""
    objects = [*storage(job), _deployment(job), service(job, selector(job)), *_disruption_budget(job)]
    text = dump_yaml(*objects, header=job.header.comment() + secret_note(job))
    return (Artefact(f"{job.name}.kubernetes.yaml", text),)


def storage(job: Job) -> list[Mapping[str, object]]:
    """The claim for weights, unless the spec names one that is there already."""
    deploy = job.deployment.spec.deploy
    if deploy.cache_volume is not None:
        return []
    pods = deploy.replicas * job.launch.nodes
    gib = max(10, -(-ROOM * model_bytes(job.deployment.model) // GIB))
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(job, claim_name(job)),
        "spec": {
            "accessModes": ["ReadWriteOnce" if pods == 1 else "ReadWriteMany"],
            "resources": {"requests": {"storage": f"{gib}Gi"}},
        },
    }
    return [claim]


def service(job: Job, chosen: dict[str, str]) -> dict[str, object]:
    """The Service in front of the pods with the labels ``chosen``."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(job),
        "spec": {
            "selector": chosen,
            "ports": [{"name": "http", "port": job.launch.port, "targetPort": "http"}],
        },
    }


def _deployment(job: Job) -> dict[str, object]:
    replicas = job.deployment.spec.deploy.replicas
    pod = pod_spec(job)
    if replicas > 1:
        pod["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(job)},
            }
        ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(job),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector(job)},
            # No surge: a new pod would wait for GPUs that the old one holds.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "progressDeadlineSeconds": job.launch.load_seconds + PROGRESS_MARGIN_SECONDS,
            "template": {"metadata": {"labels": labels(job)}, "spec": pod},
        },
    }


def _disruption_budget(job: Job) -> list[Mapping[str, object]]:
    if job.deployment.spec.deploy.replicas == 1:
        return []  # it would keep the node from ever being drained
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(job),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(job)}},
    }
    return [budget]
