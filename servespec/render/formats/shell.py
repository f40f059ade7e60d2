"""A shell script that starts the server in the foreground."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.templates import fill
from servespec.render.words import command_line

NEEDS = "anything"


def supports(launch: Launch) -> bool:
    """Every launch can be started from a shell."""
    return True


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.sh``; with several nodes the same script runs on each, told its rank."""
    launch = job.launch
    values = {
        "header": job.header.lines(),
        "environment": launch.environment,
        "secrets": launch.secrets,
        "cluster": launch.cluster,
        "first": (*launch.command, *command_line(launch, container=False)),
        "others": (*launch.command, *command_line(launch, container=False, rank=1)),
    }
    return (Artefact(f"{job.name}.sh", fill("common/serve.sh.j2", values, job.templates), executable=True),)
