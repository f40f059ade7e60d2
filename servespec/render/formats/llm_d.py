"""llm-d: values of its modelservice chart, and the Gateway API inference pool that finds the pods."""

from __future__ import annotations

from math import ceil

from servespec.engines.launch import Launch
from servespec.engines.loading import model_bytes
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.pod import (
    PROBE_SECONDS,
    environment,
    labels,
    metadata,
    secret_name,
    secret_note,
    selector,
)
from servespec.render.words import kubernetes_word
from servespec.render.yaml_writer import dump_yaml

ACCELERATORS = {"cuda": "nvidia", "rocm": "amd", "cpu": "cpu"}
PICKER_PORT = 9002
"""gRPC port of the endpoint picker (gateway-api-inference-extension, config/charts/inferencepool)."""
HUB_VARIABLE = "HF_TOKEN"
"""The variable, and the key of ``authSecretName`` (llm-d-modelservice, templates/_helpers.tpl, hfEnv)."""
GIB = 2**30

NEEDS = "vLLM on one node, and a model of the Hub"


def supports(launch: Launch) -> bool:
    """Engines that the chart starts, on one node."""
    return "llm-d" in launch.orchestrators and launch.cluster is None and not launch.mounts


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.llm-d.values.yaml`` and ``NAME.inferencepool.yaml``."""
    header = job.header.comment()
    return (
        Artefact(f"{job.name}.llm-d.values.yaml", dump_yaml(_values(job), header=header + secret_note(job))),
        Artefact(f"{job.name}.inferencepool.yaml", dump_yaml(_pool(job), header=header)),
    )


def _values(job: Job) -> dict[str, object]:
    launch = job.launch
    artifacts: dict[str, object] = {
        "name": launch.served_model_name,
        "uri": f"hf://{launch.model}",
        "size": f"{ceil(model_bytes(job.deployment.model) * 1.2 / GIB)}Gi",
        "labels": selector(job),
    }
    if _has_token(launch):
        artifacts["authSecretName"] = secret_name(job)
    return {
        "fullnameOverride": job.cluster_name,
        "modelArtifacts": artifacts,
        "accelerator": {"type": ACCELERATORS[launch.gpu_kind]},
        "routing": {"servicePort": launch.port, "proxy": {"enabled": False}},
        "decode": {
            "create": True,
            "replicas": job.deployment.spec.deploy.replicas,
            "parallelism": {"tensor": job.deployment.spec.parallel.tensor},
            "containers": [_container(job)],
            "volumes": [
                {
                    "name": "shared-memory",
                    "emptyDir": {"medium": "Memory", "sizeLimit": f"{launch.shm_bytes}"},
                }
            ],
        },
        "prefill": {"create": False},
    }


def _has_token(launch: Launch) -> bool:
    """Whether the Secret has the token under the name that the chart reads it by; it then sets the variable itself."""
    return launch.secrets.get(HUB_VARIABLE) == HUB_VARIABLE


def _container(job: Job) -> dict[str, object]:
    launch = job.launch
    return {
        "name": launch.engine,
        "image": launch.image.reference,
        "modelCommand": "vllmServe",
        "args": [kubernetes_word(word) for word in launch.own_flags],
        "env": [each for each in environment(job) if each["name"] != HUB_VARIABLE or not _has_token(launch)],
        "ports": [{"name": "metrics", "containerPort": launch.port, "protocol": "TCP"}],
        "mountModelVolume": True,
        "volumeMounts": [{"name": "shared-memory", "mountPath": "/dev/shm"}],  # noqa: S108 (in a container)
        "startupProbe": {
            "httpGet": {"path": launch.health_path, "port": launch.port},
            "periodSeconds": PROBE_SECONDS,
            "failureThreshold": ceil(launch.load_seconds / PROBE_SECONDS),
        },
    }


def _pool(job: Job) -> dict[str, object]:
    return {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": {**metadata(job), "labels": labels(job)},
        "spec": {
            "selector": {"matchLabels": selector(job)},
            "targetPorts": [{"number": job.launch.port}],
            "endpointPickerRef": {
                "name": f"{job.cluster_name}-epp",
                "port": {"number": PICKER_PORT},
                # A picker that is down makes routing blind, not impossible.
                "failureMode": "FailOpen",
            },
        },
    }
