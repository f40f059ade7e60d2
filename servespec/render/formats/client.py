"""Small programs that ask the server: curl, the openai package, and what an engine has of its own."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.templates import fill, has_template
from servespec.render.words import dump_json

MAX_TOKENS = 128
"""As ``workload.output_tokens`` of the language."""
COMMON = (("curl.sh", True), ("openai.py", False))
OWN = (("native.py", False),)

NEEDS = "anything"


def supports(launch: Launch) -> bool:
    """Every engine speaks the OpenAI protocol."""
    return True


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.curl.sh``, ``NAME.openai.py``, and the programs for which the engine has a template."""
    prompt = job.deployment.spec.smoke.prompts[0]
    request = {
        "model": job.launch.served_model_name,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": MAX_TOKENS,
    }
    values = {
        "header": job.header.lines(),
        "url": job.base_url,
        "model": job.launch.served_model_name,
        "prompt": prompt,
        "prompts": job.deployment.spec.smoke.prompts,
        "max_tokens": MAX_TOKENS,
        "request": dump_json(request).rstrip("\n"),
        "api_key_env": job.deployment.spec.server.api_key_env,
    }
    own = tuple(
        (name, executable)
        for name, executable in OWN
        if has_template(f"{job.launch.engine}/{name}.j2", job.templates)
    )
    folders = [("common", *item) for item in COMMON] + [(job.launch.engine, *item) for item in own]
    return tuple(
        Artefact(f"{job.name}.{name}", fill(f"{folder}/{name}.j2", values, job.templates), executable)
        for folder, name, executable in folders
    )
