"""Helm values of the vLLM production stack."""

from __future__ import annotations

from math import ceil

from servespec.engines.launch import Launch
from servespec.engines.loading import model_bytes
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.pod import (
    PROBE_SECONDS,
    environment,
    gpu_resources,
    secret_name,
    secret_note,
)
from servespec.render.words import kubernetes_word
from servespec.render.yaml_writer import dump_yaml

GIB = 2**30
CPU, MEMORY = 6, "16Gi"
"""The chart insists on requests for both; these are its example's (helm/values-example.yaml)."""
KEY_VARIABLE = "VLLM_API_KEY"

NEEDS = "vLLM on one node, and a model of the Hub"


def supports(launch: Launch) -> bool:
    """Engines that the chart starts, on one node."""
    return "production-stack" in launch.orchestrators and launch.cluster is None and not launch.mounts


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.production-stack.values.yaml``."""
    values = {"servingEngineSpec": {**_engine(job), "modelSpec": [_model(job)]}}
    text = dump_yaml(values, header=job.header.comment() + secret_note(job))
    return (Artefact(f"{job.name}.production-stack.values.yaml", text),)


def _engine(job: Job) -> dict[str, object]:
    launch = job.launch
    key = launch.secrets.get(KEY_VARIABLE)
    return {
        "containerPort": launch.port,
        "startupProbe": {
            "periodSeconds": PROBE_SECONDS,
            "failureThreshold": ceil(launch.load_seconds / PROBE_SECONDS),
            "httpGet": {"path": launch.health_path, "port": launch.port},
        },
        **({"vllmApiKey": {"secretName": secret_name(job), "secretKey": key}} if key else {}),
    }


def _model(job: Job) -> dict[str, object]:
    launch = job.launch
    repository, _, tag = launch.image.reference.rpartition(":")
    resource, count = next(iter(gpu_resources(launch).items()), ("nvidia.com/gpu", "0"))
    rest = [variable for variable in environment(job) if variable["name"] != KEY_VARIABLE]
    return {
        "name": job.cluster_name,
        "repository": repository or launch.image.reference,
        "tag": tag if repository else "latest",
        "modelURL": launch.model,
        "replicaCount": job.deployment.spec.deploy.replicas,
        "requestCPU": CPU,
        "requestMemory": MEMORY,
        "requestGPU": int(count),
        "requestGPUType": resource,
        "pvcStorage": f"{max(10, ceil(2 * model_bytes(job.deployment.model) / GIB))}Gi",
        "pvcAccessMode": ["ReadWriteOnce" if job.deployment.spec.deploy.replicas == 1 else "ReadWriteMany"],
        "shmSize": f"{launch.shm_bytes}",
        **({"env": rest} if rest else {}),
        "vllmConfig": {
            # Left out, the chart switches it off (helm/templates/deployment-vllm-multi.yaml).
            "enablePrefixCaching": job.deployment.settings.flag("enable_prefix_caching"),
            "tensorParallelSize": job.deployment.spec.parallel.tensor,
            "extraArgs": _extra(launch, job),
        },
    }


def _extra(launch: Launch, job: Job) -> list[str]:
    """The flags that the chart does not write by itself."""
    name = launch.served_model_name
    served = ["--served-model-name", name] if name != job.deployment.spec.model.id else []
    return [kubernetes_word(word) for word in (*served, *launch.own_flags)]
