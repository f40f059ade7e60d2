"""KServe's LLMInferenceService. Its template starts vLLM; what the spec says goes into VLLM_ADDITIONAL_ARGS."""

from __future__ import annotations

import shlex
from math import ceil

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.pod import PROBE_SECONDS, environment, gpu_resources, metadata, secret_note
from servespec.render.words import kubernetes_word
from servespec.render.yaml_writer import dump_yaml

ARGUMENTS = "VLLM_ADDITIONAL_ARGS"
"""Read by a shell in KServe's template (config/llmisvcconfig/config-llm-template.yaml), hence the quotes."""

NEEDS = "vLLM on one node, and a model of the Hub"


def supports(launch: Launch) -> bool:
    """Engines that KServe's template starts, on one node."""
    return "kserve" in launch.orchestrators and launch.cluster is None and not launch.mounts


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.kserve.yaml``."""
    launch = job.launch
    service = {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": metadata(job),
        "spec": {
            "model": {"uri": f"hf://{launch.model}", "name": launch.served_model_name},
            "replicas": job.deployment.spec.deploy.replicas,
            "router": {"gateway": {}, "route": {}, "scheduler": {}},
            "template": {"containers": [_container(job)]},
        },
    }
    text = dump_yaml(service, header=job.header.comment() + secret_note(job))
    return (Artefact(f"{job.name}.kserve.yaml", text),)


def _container(job: Job) -> dict[str, object]:
    launch = job.launch
    resources = gpu_resources(launch)
    arguments = {"name": ARGUMENTS, "value": kubernetes_word(shlex.join(launch.own_flags))}
    return {
        "name": "main",
        "image": launch.image.reference,
        "env": [*environment(job), *([arguments] if launch.own_flags else [])],
        "resources": {"limits": resources, "requests": resources} if resources else {},
        "startupProbe": {
            "periodSeconds": PROBE_SECONDS,
            "failureThreshold": ceil(launch.load_seconds / PROBE_SECONDS),
        },
    }
