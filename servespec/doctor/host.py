"""Disk for the weights, shared memory, locked memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.doctor.need import Need, State
from servespec.doctor.place import Place
from servespec.models.local import expand_home, is_local

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.engines.launch import Launch
    from servespec.hardware.machine import Machine

GIB, MIB = 2**30, 2**20
TOO_LITTLE_SHM_BYTES = 64 * MIB
"""What Docker gives a container by default, where NCCL between several ranks fails (TGI README, ``--shm-size``)."""
STORES = {
    "docker": ("/var/lib/docker", "/var/lib/docker"),
    "podman": ("/var/lib/containers", "~/.local/share/containers"),
}
"""Where named volumes are kept, as root and as another user (docs.docker.com, "Docker daemon data directory";
containers-storage.conf(5))."""


def host_needs(
    deployment: Deployment, launch: Launch, machine: Machine, place: Place, environment: Mapping[str, str]
) -> Iterator[Need]:
    """What the host has besides GPUs and programs."""
    yield _weights(deployment, machine, place, environment)
    if place is Place.host and machine.shm_bytes and launch.gpus_per_node > 1:
        yield _shared_memory(launch, machine.shm_bytes)
    if launch.nodes > 1 and machine.locked_bytes is not None:
        message = (
            f"{machine.locked_bytes // 1024:,} KiB may be locked (ulimit -l): InfiniBand between the "
            f"{launch.nodes} nodes needs unlimited"
        )
        yield Need("locked memory", State.unsure, message)


def _weights(deployment: Deployment, machine: Machine, place: Place, environment: Mapping[str, str]) -> Need:
    """Disk for what is still to be downloaded; what a cache holds of the model counts."""
    from servespec.engines.loading import model_bytes

    name, model = "weights", deployment.spec.model
    if is_local(model.id):
        folder = deployment.directory / expand_home(model.id)
        if folder.is_dir():
            return Need(name, State.met, f"{folder} is there")
        return Need(name, State.lacking, f"there is no folder {folder} (model.id)")
    size = model_bytes(deployment.model)
    folder = _cache(deployment, machine, place, environment)
    held = _held_bytes(folder / f"models--{model.id.replace('/', '--')}" / "blobs")
    needed = max(0, size - held)
    disk = _existing(folder)
    try:
        free = shutil.disk_usage(disk).free
    except OSError as error:
        return Need(
            name,
            State.unsure,
            f"{size / GIB:,.1f} GiB of {model.id}; cannot look at {disk}: {error.strerror}",
        )
    there = f", {held / GIB:,.1f} GiB of it there" if held else ""
    message = f"{size / GIB:,.1f} GiB of {model.id}{there}; {free / GIB:,.1f} GiB are free at {folder}"
    if needed > free:
        return Need(
            name, State.lacking, f"{message}: free {(needed - free) / GIB:,.1f} GiB, or keep them elsewhere"
        )
    return Need(name, State.met, message)


def _cache(deployment: Deployment, machine: Machine, place: Place, environment: Mapping[str, str]) -> Path:
    """Where the server would keep weights: the Hub's cache on the host, a folder or a volume for containers."""
    if place is Place.container:
        volume = deployment.spec.deploy.cache_volume
        if volume is not None and volume.startswith((".", "/", "~")):
            return Path(os.path.normpath(deployment.directory / expand_home(volume)))
        engine = next(found.name for found in machine.runtimes if found.name in STORES and found.version)
        return expand_home(STORES[engine][not _is_root()])
    own = {**environment, **{k: v for k, v in deployment.spec.env.items() if isinstance(v, str)}}
    for variable, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if (value := own.get(variable)) and not value.startswith("${"):
            return expand_home(value) / below
    return expand_home(own.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "hub"


def _held_bytes(blobs: Path) -> int:
    """What is downloaded already, and what was begun."""
    try:
        return sum(entry.stat().st_size for entry in blobs.iterdir())
    except OSError:
        return 0


def _is_root() -> bool:
    return getattr(os, "geteuid", lambda: 1)() == 0


def _existing(folder: Path) -> Path:
    for each in (folder, *folder.parents):
        if os.path.exists(each):  # noqa: PTH110 (Path.exists raises for what may not be seen)
            return each
    return folder


def _shared_memory(launch: Launch, there: int) -> Need:
    name, ranks = "/dev/shm", launch.gpus_per_node  # noqa: S108 (where NCCL and PyTorch look)
    message = f"{there / GIB:,.2f} GiB for {ranks} ranks"
    if there <= TOO_LITTLE_SHM_BYTES:
        return Need(
            name,
            State.lacking,
            f"{message}: NCCL fails with so little, mount it with {launch.shm_bytes / GIB:g} GiB",
        )
    if there < launch.shm_bytes:
        advised = f"{launch.shm_bytes / GIB:g} GiB are advised for {launch.engine}"
        return Need(name, State.unsure, f"{message}, {advised}")
    return Need(name, State.met, message)
