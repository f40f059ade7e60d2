#!/usr/bin/env python3
"""Install a container engine (podman, runc, podman-compose) on a Debian 12 machine, for tests of compose files.

    python scripts/engines/containers.py

A second run finds everything there. The last lines, on stdout, are the environment in which it works, as
``NAME=value``; all else goes to stderr. Configuration and images live below ``$SERVESPEC_ENGINES`` (default
``~/.cache/servespec/engines``), and nothing of the machine's own container set-up is changed.

Exit codes: 0 it works; 1 a step failed; 3 this machine cannot have it (not root, not Debian).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

CANNOT = 3
PACKAGES = ("podman", "runc", "netavark", "aardvark-dns", "iptables", "curl")
PODMAN_COMPOSE = "podman-compose==1.6.*"

# The kernels of many build machines refuse to raise limits (default_ulimits), run no systemd (cgroup_manager,
# events_logger) and mix cgroup versions, which crun refuses (runtime).
CONTAINERS_CONF = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""
STORAGE_CONF = """[storage]
driver = "vfs"
graphroot = "{folder}/store"
runroot = "{folder}/run"
"""


def main() -> int:
    folder = engines_root() / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not has_programs():
            reason = why_not()
            if reason is not None:
                say(f"no container engine here: {reason}")
                return CANNOT
            say(f"installing {', '.join(PACKAGES)} with apt-get: about 150 MB")
            for command in (
                ["update", "-qq"],
                ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
            ):
                if not ran(["apt-get", *command], DEBIAN_FRONTEND="noninteractive"):
                    return 1
        (folder / "containers.conf").write_text(CONTAINERS_CONF)
        (folder / "storage.conf").write_text(STORAGE_CONF.format(folder=folder))
        programs = folder / "venv" / "bin"
        if not (programs / "podman-compose").exists():
            say("installing podman-compose")
            pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", PODMAN_COMPOSE]
            if not (ran([sys.executable, "-m", "venv", str(programs.parent)]) and ran(pip)):
                return 1
        environment = {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "PATH": os.pathsep.join((str(programs), os.environ.get("PATH", os.defpath))),
        }
        if not ran(["podman", "info"], **environment):
            return 1
    print("".join(f"{name}={value}\n" for name, value in environment.items()), end="")
    return 0


def say(message: str) -> None:
    print(f"containers: {message}", file=sys.stderr, flush=True)


def engines_root() -> Path:
    named = os.environ.get("SERVESPEC_ENGINES")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "servespec" / "engines"


def has_programs() -> bool:
    return all(shutil.which(program) for program in ("podman", "runc", "curl")) and any(
        Path(folder, "netavark").exists() for folder in ("/usr/lib/podman", "/usr/libexec/podman")
    )


def why_not() -> str | None:
    """Why packages cannot be installed; None where they can."""
    if shutil.which("apt-get") is None:
        return "podman is not installed, and without apt-get it cannot be"
    if os.geteuid() != 0:
        return "podman is not installed, and only root can install it"
    return None


def ran(command: list[str], **environment: str) -> bool:
    """Run a command; what it says is shown when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        say(f"FAILED: {' '.join(command)}\n{tail}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
