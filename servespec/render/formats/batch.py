"""Many prompts from a file, without a server: requests as JSON lines, and the program that answers them."""

from __future__ import annotations

import json

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.formats.offline import DEFAULT_OUTPUT_TOKENS
from servespec.render.job import Job
from servespec.render.templates import fill, has_template

NEEDS = "an engine that answers prompts from a file, and one node"
PROGRAMS = ("batch.sh", "batch.py")


def supports(launch: Launch) -> bool:
    """Engines with a batch program of their own, or with a Python class that a template drives."""
    return launch.cluster is None and _program(launch) is not None


def _program(launch: Launch) -> str | None:
    if launch.offline is None:
        return None
    names = (name for name in PROGRAMS if has_template(f"{launch.engine}/{name}.j2"))
    name = next(names, None)
    return name if name != "batch.sh" or launch.batch_command else None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.batch.sh`` or ``NAME.batch.py``; the requests are read from ``NAME.batch.jsonl`` beside it.

    The requests are those of the OpenAI batch format, one for each smoke prompt: a beginning to write
    one's own into. They carry no header, which JSON lines have no room for, and are written inside the
    program, which makes the file when there is none.
    """
    launch = job.launch
    name = _program(launch)
    assert name is not None
    workload = job.deployment.spec.workload
    limit = workload.output_tokens if workload else DEFAULT_OUTPUT_TOKENS
    prompts, model = job.deployment.spec.smoke.prompts, launch.served_model_name
    values = {
        "header": job.header.lines(),
        "environment": launch.environment,
        "secrets": launch.secrets,
        "command": launch.batch_command,
        "arguments": launch.offline,
        "chats": tuple(
            _request(
                number, "/v1/chat/completions", model, limit, messages=[{"role": "user", "content": prompt}]
            )
            for number, prompt in enumerate(prompts, 1)
        ),
        "completions": tuple(
            _request(number, "/v1/completions", model, limit, prompt=prompt)
            for number, prompt in enumerate(prompts, 1)
        ),
        "input": f"{job.name}.batch.jsonl",
        "output": f"{job.name}.answers.jsonl",
    }
    text = fill(f"{launch.engine}/{name}.j2", values, job.templates)
    return (Artefact(f"{job.name}.{name}", text, executable=name.endswith(".sh")),)


def _request(number: int, url: str, model: str, max_tokens: int, **asked: object) -> str:
    body = {"model": model, **asked, "max_tokens": max_tokens}
    return json.dumps({"custom_id": f"request-{number}", "method": "POST", "url": url, "body": body})
