"""What every container format says alike: which accelerators, caches, shared memory and rights a server needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath

from servespec.engines.launch import Launch
from servespec.render.job import Job

AMD_DEVICES = ("/dev/kfd", "/dev/dri")
"""The compute and the render interfaces of AMD's driver (ROCm documentation, "Run ROCm Docker containers")."""
AMD_GROUPS = ("video", "render")
HEALTH_INTERVAL_SECONDS = 10
HEALTH_TIMEOUT_SECONDS = 5
HEALTH_RETRIES = 3


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume by its name, or a folder of the host by its path, and where it is mounted."""

    name: str
    target: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of the host."""
        return self.name.startswith((".", "/", "~"))

    @property
    def label(self) -> str:
        """The name with nothing in it that a volume's name cannot have."""
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", self.name).strip("-.") or "cache"


@dataclass(frozen=True, slots=True)
class Rights:
    """Linux capabilities and security options beyond "none"."""

    capabilities: tuple[str, ...]
    options: tuple[str, ...]


def rights(launch: Launch) -> Rights:
    """All capabilities are dropped but those that the accelerator's runtime needs.

    AMD's collectives share memory between processes by ptrace, and its documentation runs engines
    without the seccomp filter; a CPU engine binds memory to NUMA nodes (set_mempolicy), which
    Docker's filter allows with SYS_NICE.
    """
    options = ("no-new-privileges:true",)
    if launch.gpu_kind == "rocm":
        return Rights(("SYS_PTRACE",), (*options, "seccomp=unconfined"))
    if launch.gpu_kind == "cpu":
        return Rights(("SYS_NICE",), options)
    return Rights((), options)


def qualified(reference: str) -> str:
    """The image with its registry: podman looks a short name up nowhere, or asks, where no terminal is there to answer.

    Docker's own is written as Docker reads a name without one (distribution/reference, normalize.go).
    """
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return reference
    return f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"


def cache_volumes(job: Job) -> tuple[Volume, ...]:
    """Volumes for downloaded weights and for compile caches, so that a restart need not do it all again.

    ``deploy.cache_volume`` names the first; a folder is mounted as it is.
    """
    image = job.launch.image
    weights = job.deployment.spec.deploy.cache_volume or f"{job.launch.engine}-weights"
    others = (Volume(f"{PurePosixPath(path).name}-cache", path) for path in image.other_caches)
    return (Volume(weights, image.cache_directory), *others)


def published(launch: Launch) -> str:
    """``[address:]port:port`` as container engines publish it: without an address on all of them.

    An address that is a name and not ``localhost`` is left out: engines want numbers.
    """
    ports = f"{launch.port}:{launch.port}"
    address = "127.0.0.1" if launch.host == "localhost" else launch.host.strip("[]")
    try:
        number = ip_address(address)
    except ValueError:
        return ports
    if number.is_unspecified:
        return ports
    return f"[{number}]:{ports}" if number.version == 6 else f"{number}:{ports}"


def health_url(launch: Launch) -> str:
    """The health endpoint as seen from inside the container."""
    return f"http://localhost:{launch.port}{launch.health_path}"
