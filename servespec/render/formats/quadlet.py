"""A quadlet: the container as a systemd unit that podman generates."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render import container
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.templates import fill
from servespec.render.words import Program, container_program, shell_word

PULL_SECONDS = 1800
"""Policy: an image of ten gigabytes over a link of 100 Mbit/s comes before the container starts."""

NEEDS = "one node with whole GPUs, and no folder that is relative"


def supports(launch: Launch) -> bool:
    """One node; relative folders would be relative to podman's own unit folder, and parts of a GPU have no fixed names."""
    return (
        launch.cluster is None
        and launch.mig_profile is None
        and not any(source.startswith(".") for source, _ in launch.mounts)
    )


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.container``. Secrets are podman's: ``podman secret create``."""
    launch = job.launch
    program = _program(launch)
    granted = container.rights(launch)
    held = {**launch.secrets, **{name: name for _, name in launch.secret_flags}}
    values = {
        "header": job.header.lines(),
        "name": job.name,
        "engine": launch.engine,
        "image": container.qualified(launch.image.reference),
        "entrypoint": program.entrypoint,
        "words": program.arguments,
        "environment": launch.environment,
        "secrets": held,
        "volumes": tuple(
            f"{volume.name if volume.is_folder else volume.label}:{volume.target}"
            for volume in container.cache_volumes(job)
        )
        + tuple(f"{source}:{target}:ro" for source, target in launch.mounts),
        "devices": _devices(launch),
        "groups": container.AMD_GROUPS if launch.gpu_kind == "rocm" else (),
        "capabilities": granted.capabilities,
        "unconfined": "seccomp=unconfined" in granted.options,
        "published": container.published(launch),
        "shm_bytes": launch.shm_bytes,
        "health": f"curl -fsS -o /dev/null {container.health_url(launch)}",
        "load_seconds": launch.load_seconds,
        "start_seconds": launch.load_seconds + PULL_SECONDS,
        "stop_seconds": launch.stop_seconds,
    }
    return (Artefact(f"{job.name}.container", fill("common/quadlet.container.j2", values, job.templates)),)


def _program(launch: Launch) -> Program:
    """What runs in the container.

    A secret is there inside of it alone: a flag that names one is read by a shell in the container,
    not by systemd outside.
    """
    program = container_program(launch)
    if not launch.secret_flags or program.entrypoint is None:
        return program
    script = " ".join(shell_word(word) for word in (*program.entrypoint, *program.arguments))
    return Program(("/bin/sh", "-c"), (f"exec {script}",))


def _devices(launch: Launch) -> tuple[str, ...]:
    if launch.gpu_kind == "rocm":
        return container.AMD_DEVICES
    return tuple(f"nvidia.com/gpu={number}" for number in range(launch.gpus_per_node))
