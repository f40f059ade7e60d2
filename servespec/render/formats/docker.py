"""A script with one ``docker run``; ``CONTAINER_ENGINE=podman`` runs the same with podman."""

from __future__ import annotations

import csv
import io

from servespec.engines.launch import Launch
from servespec.render import container
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.templates import fill
from servespec.render.words import Word, container_program

NEEDS = "anything"


def supports(launch: Launch) -> bool:
    """Every engine has an image."""
    return True


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.docker.sh``; with several nodes it is started on each of them."""
    values = {
        "header": job.header.lines(),
        "secrets": job.launch.secrets,
        "options": tuple(_options(job)),
        "gpus": job.launch.gpus_per_node if job.launch.gpu_kind == "cuda" else 0,
        "is_part": job.launch.mig_profile is not None,
        "cluster": job.launch.cluster,
        "first": _server(job.launch, rank=0),
        "others": _server(job.launch, rank=1),
    }
    text = fill("common/docker.sh.j2", values, job.templates)
    return (Artefact(f"{job.name}.docker.sh", text, executable=True),)


def _options(job: Job) -> list[Word]:
    launch = job.launch
    options: list[Word] = ["--rm", "--name", job.name]
    if launch.cluster is not None:
        options += ["--network", "host"]
    else:
        options += ["--publish", container.published(launch)]
    for name, value in launch.environment.items():
        options += ["--env", f"{name}={value}"]
    for name in launch.secrets:
        options += ["--env", name]
    for volume in container.cache_volumes(job):
        kind, source = ("bind", volume.name) if volume.is_folder else ("volume", volume.label)
        options += ["--mount", _fields(f"type={kind}", f"source={source}", f"target={volume.target}")]
    for source, target in launch.mounts:
        options += ["--mount", _fields("type=bind", f"source={source}", f"target={target}", "readonly")]
    if launch.gpu_kind == "rocm":
        options += [word for device in container.AMD_DEVICES for word in ("--device", device)]
        options += [word for group in container.AMD_GROUPS for word in ("--group-add", group)]
    if launch.shm_bytes:
        options += ["--shm-size", f"{launch.shm_bytes}b"]
    granted = container.rights(launch)
    options += ["--cap-drop", "ALL"]
    options += [word for capability in granted.capabilities for word in ("--cap-add", capability)]
    options += [word for option in granted.options for word in ("--security-opt", option)]
    if launch.cluster is not None:
        options += ["--env", launch.cluster.rank, "--env", launch.cluster.head]
    options += ["--stop-timeout", str(launch.stop_seconds)]
    return options


def _fields(*fields: str) -> str:
    """The value of ``--mount``, which is read as a line of CSV."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)  # quotes what holds the end of a line
    return buffer.getvalue().removesuffix("\n")


def _server(launch: Launch, rank: int) -> tuple[Word, ...]:
    """The entry point, the image and what follows it."""
    program, image = container_program(launch, rank), container.qualified(launch.image.reference)
    if program.entrypoint is None:
        return (image, *program.arguments)
    first, *rest = program.entrypoint
    return ("--entrypoint", first, image, *rest, *program.arguments)
