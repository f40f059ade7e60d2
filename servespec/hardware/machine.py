"""What this machine has: GPUs, driver, host memory, engines, container runtimes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from servespec.hardware.cpu import host_memory_bytes
from servespec.hardware.gpu import GPU
from servespec.hardware.nvml import Inventory, LocalGPU

COMMAND_SECONDS = 10
RUNTIMES = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "podman": ("podman", "version", "--format", "{{.Client.Version}}"),
    "nvidia-container-toolkit": ("nvidia-ctk", "--version"),
}
"""Programs that run containers, or give them GPUs, and how each tells its version."""


@dataclass(frozen=True, slots=True)
class Found:
    """One program: its version, None where it is there and does not answer; ``path`` is where it lies."""

    name: str
    version: str | None
    path: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine. ``problem`` says why no GPU is shown; ``host_bytes`` is 0 where it cannot be read.

    ``shm_bytes`` is the size of /dev/shm, 0 where there is none; ``locked_bytes`` and ``open_files`` are limits of
    this process (``ulimit -l`` in bytes, ``ulimit -n``), None where there is none.
    """

    inventory: Inventory | None
    problem: str | None
    host_bytes: int
    cpus: int
    shm_bytes: int = 0
    locked_bytes: int | None = None
    open_files: int | None = None
    engines: tuple[Found, ...] = field(default_factory=tuple)
    runtimes: tuple[Found, ...] = field(default_factory=tuple)


def survey(programs: Mapping[str, str]) -> Machine:
    """Look at everything; what is missing is said, nothing is raised.

    ``programs`` are the engines' server programs by the engine's name.
    """
    import os

    from servespec.errors import ServespecError
    from servespec.hardware.nvml import inventory

    seen: Inventory | None = None
    problem: str | None = None
    try:
        seen = inventory()
    except ServespecError as error:
        problem = str(error)
    return Machine(
        inventory=seen,
        problem=problem,
        host_bytes=host_memory_bytes(),
        cpus=os.cpu_count() or 0,
        shm_bytes=_shm_bytes(),
        locked_bytes=_limit("RLIMIT_MEMLOCK"),
        open_files=_limit("RLIMIT_NOFILE"),
        engines=_engines(programs),
        runtimes=_runtimes(),
    )


def _shm_bytes() -> int:
    try:
        return shutil.disk_usage("/dev/shm").total  # noqa: S108 (where NCCL and PyTorch look)
    except OSError:
        return 0


def _limit(name: str) -> int | None:
    """The soft limit; None where there is none, or the system has no such limits (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    soft = resource.getrlimit(getattr(resource, name))[0]
    return None if soft == resource.RLIM_INFINITY else soft


def catalogue_difference_bytes(local: LocalGPU) -> int | None:
    """What CUDA shows of a GPU's memory less what the catalogue says; None where either does not know it."""
    from servespec.errors import UnknownGPUError
    from servespec.hardware.catalogue import named

    try:
        known: GPU = named(local.name)
    except UnknownGPUError:
        return None
    return None if local.usable_bytes is None else local.usable_bytes - known.total_bytes


def _engines(programs: Mapping[str, str]) -> tuple[Found, ...]:
    """Engines on PATH, or installed beside servespec."""
    found = []
    for name, program in programs.items():
        path = shutil.which(program)
        try:
            beside: str | None = version(name)
        except PackageNotFoundError:
            beside = None
        if path is not None or beside is not None:
            found.append(Found(name, beside, path or "this Python environment"))
    return tuple(found)


def _runtimes() -> tuple[Found, ...]:
    found = []
    for name, command in RUNTIMES.items():
        path = shutil.which(command[0])
        if path is None:
            continue
        try:
            done = subprocess.run(
                (path, *command[1:]), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            found.append(Found(name, None, path, str(error)))
            continue
        lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
        text = lines[0].strip() if lines else None
        found.append(Found(name, text, path) if done.returncode == 0 else Found(name, None, path, text))
    return tuple(found)
