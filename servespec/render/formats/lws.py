"""LeaderWorkerSet: several nodes that are one server, started, restarted and scaled together."""

from __future__ import annotations

from dataclasses import replace

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.formats.kubernetes import service, storage
from servespec.render.job import Job
from servespec.render.pod import is_renderable, labels, metadata, pod_spec, renamed, secret_note
from servespec.render.yaml_writer import dump_yaml

ROLE = "servespec.dev/role"
NAME_LABEL = "leaderworkerset.sigs.k8s.io/name"
"""Set by the controller on every pod of the set (lws, api/leaderworkerset/v1)."""
RANK, LEADER = "LWS_WORKER_INDEX", "LWS_LEADER_ADDRESS"
"""Variables that the controller gives every container (lws, docs/reference/labels-annotations-and-environment-variables)."""

NEEDS = "several nodes, and a model that is no folder of this machine"


def supports(launch: Launch) -> bool:
    """Several nodes."""
    return is_renderable(launch) and launch.cluster is not None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.lws.yaml``: the claim, the set, and a Service that finds the leaders."""
    cluster = job.launch.cluster
    assert cluster is not None
    launch = renamed(job.launch, {cluster.rank: RANK, cluster.head: LEADER})
    named = replace(job, launch=launch)
    chosen = {NAME_LABEL: job.cluster_name, ROLE: "leader"}
    objects = [*storage(named), _set(named), service(named, chosen)]
    text = dump_yaml(*objects, header=job.header.comment() + secret_note(job))
    return (Artefact(f"{job.name}.lws.yaml", text),)


def _set(job: Job) -> dict[str, object]:
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": metadata(job),
        "spec": {
            "replicas": job.deployment.spec.deploy.replicas,
            "rolloutStrategy": {
                "type": "RollingUpdate",
                "rollingUpdateConfiguration": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "leaderWorkerTemplate": {
                "size": job.launch.nodes,
                # One rank that dies takes the collective with it: the whole group starts again.
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": _template(job, "leader", rank=0),
                "workerTemplate": _template(job, "worker", rank=1),
            },
        },
    }


def _template(job: Job, role: str, rank: int) -> dict[str, object]:
    return {"metadata": {"labels": {**labels(job), ROLE: role}}, "spec": pod_spec(job, rank)}
