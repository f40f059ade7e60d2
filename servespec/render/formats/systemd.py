"""A systemd unit that keeps the server up on this machine."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render import container
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.templates import fill
from servespec.render.words import command_line

NEEDS = "one node, and no folder that is relative"


def supports(launch: Launch) -> bool:
    """One node, and nothing but Hub ids: a unit has no folder of its own that paths would be relative to."""
    return launch.cluster is None and not any(source.startswith(".") for source, _ in launch.mounts)


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.service``. Secrets are in ``/etc/NAME.env``, which only root can read."""
    launch = job.launch
    values = {
        "header": job.header.lines(),
        "name": job.name,
        "engine": launch.engine,
        "environment": launch.environment,
        "secrets": tuple(dict.fromkeys([*launch.secrets, *(name for _, name in launch.secret_flags)])),
        "words": ("/usr/bin/env", *launch.command, *command_line(launch, container=False)),
        "groups": container.AMD_GROUPS if launch.gpu_kind == "rocm" else (),
        "stop_seconds": launch.stop_seconds,
    }
    return (Artefact(f"{job.name}.service", fill("common/systemd.service.j2", values, job.templates)),)
