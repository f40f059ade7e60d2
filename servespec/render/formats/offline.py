"""A Python program that runs the engine in its own process, without a server."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.templates import fill

NEEDS = "an engine with a Python class, and one node"


def supports(launch: Launch) -> bool:
    """Engines with a Python class, on one node."""
    return launch.offline is not None and launch.cluster is None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.offline.py``."""
    spec = job.deployment.spec
    values = {
        "header": job.header.lines(),
        "arguments": job.launch.offline,
        "environment": job.launch.environment,
        "secrets": job.launch.secrets,
        "prompts": spec.smoke.prompts,
        "max_tokens": spec.workload.output_tokens if spec.workload else DEFAULT_OUTPUT_TOKENS,
    }
    text = fill(f"{job.launch.engine}/offline.py.j2", values, job.templates)
    return (Artefact(f"{job.name}.offline.py", text),)


DEFAULT_OUTPUT_TOKENS = 128
"""As ``workload.output_tokens`` of the language."""
