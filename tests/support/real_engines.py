"""The real engines for CPU in tests: their environments, a server of one, and its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import servespec
from servespec.deployment import Deployment
from servespec.runtime import Host, Running, run

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts" / "engines"
MARK = "SERVESPEC_TEST_MARK"
"""A variable of every server that a test starts, by which its processes are found wherever they went."""


def install(engine: str) -> Path:
    """The Python of a real engine; skips where this machine cannot have one."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "install.py"), engine], capture_output=True, text=True, check=False
    )
    if done.returncode == 2:
        pytest.skip(f"{engine} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


class Served:
    """A running engine, and the phases that it told."""

    server: Running

    def __init__(self, deployment: Deployment, spec: Path) -> None:
        self.deployment = deployment
        self.spec = spec
        self.phases: list[str] = []

    def phase(self, name: str, seconds: float) -> None:
        self.phases.append(name)

    def line(self, text: str) -> None:
        return


@contextmanager
def serving(spec: Path, engine: str, python: Path) -> Iterator[Served]:
    """The spec's server while in the block."""
    loaded = servespec.load(spec)
    assert loaded.spec is not None, loaded.diagnostics
    served = Served(servespec.resolve(loaded.spec, engine, loaded.directory), spec)
    served.server = run(served.deployment, Host(python), watcher=served, limit_seconds=300)
    with served.server:
        yield served


def session_processes(server: Running) -> list[int]:
    """Living processes of the session that a server runs in; some engines wipe their environment."""
    session = server._backend.pid  # type: ignore[attr-defined]
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = entry.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(sid) == session and state != "Z":
            found.append(int(entry.parent.name))
    return found


def marked_processes(value: str) -> list[int]:
    """Living processes, other than this one, with the mark in their environment."""
    wanted = f"{MARK}={value}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found
