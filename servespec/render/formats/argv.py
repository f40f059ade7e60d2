"""The command as data: a JSON document with argv and environment, for programs."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.words import command_line, dump_json, json_word

NEEDS = "anything"


def supports(launch: Launch) -> bool:
    """Every launch has a command."""
    return True


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.argv.json``: ``argv``, ``environment``, and ``secrets`` as the variables that hold them.

    ``${NAME}`` in ``argv`` stands for a variable of the environment that the server starts in.
    """
    launch = job.launch
    words = (*launch.command, *command_line(launch, container=False))
    document = {
        "x-servespec": job.header.field(),
        "argv": [json_word(word) for word in words],
        "environment": dict(launch.environment),
        "secrets": dict(launch.secrets),
    }
    return (Artefact(f"{job.name}.argv.json", dump_json(document)),)
