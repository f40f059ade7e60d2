"""An environment file as ``docker run --env-file`` reads it: one variable a line, nothing quoted.

A line without ``=`` passes a variable on from the caller's environment: that is how secrets go.
"""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.errors import RenderError
from servespec.render.artefact import Artefact
from servespec.render.job import Job

NEEDS = "anything"


def supports(launch: Launch) -> bool:
    """Every launch has an environment, if an empty one."""
    return True


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.env``. Raises RenderError for a value of several lines, which the syntax cannot say."""
    launch = job.launch
    lines = [
        f"{name}={_one_line(name, value)}"
        for name, value in {**launch.environment, **launch.flags_environment}.items()
    ]
    for name, holder in launch.secrets.items():
        if holder != name:
            lines.append(f"# {name} is passed on; give it the value of {holder} before")
        lines.append(name)
    return (Artefact(f"{job.name}.env", job.header.comment() + "".join(f"{line}\n" for line in lines)),)


def _one_line(name: str, value: str) -> str:
    if value.splitlines() not in ([], [value]):
        raise RenderError(f"{name} has a value of several lines, which an environment file cannot hold")
    return value
