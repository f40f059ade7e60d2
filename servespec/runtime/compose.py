"""A server as a compose project, by docker or podman."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from servespec.deployment import Deployment
from servespec.engines.launch import Launch
from servespec.errors import StartError
from servespec.render.registry import render
from servespec.runtime.place import secret_values

_STATE = "{{json .State}}"


@dataclass(frozen=True, slots=True)
class Program:
    """A way to run compose files: the command of compose, and that of its container engine."""

    compose: tuple[str, ...]
    engine: str


PROGRAMS = (
    Program(("docker", "compose"), "docker"),
    Program(("podman-compose",), "podman"),
    Program(("podman", "compose"), "podman"),
)


def find_program(wanted: str | None = None) -> Program:
    """The first compose whose container engine answers; ``wanted`` is ``docker`` or ``podman``.

    Raises:
        StartError: there is none.
    """
    for program in PROGRAMS:
        if wanted in (None, program.engine) and _works(program):
            return program
    raise StartError(
        f"no {wanted or 'docker or podman'} with compose is running here: install podman and podman-compose or "
        "docker with its compose plugin, or name an engine's environment with --engine-python"
    )


def _works(program: Program) -> bool:
    questions = ((program.engine, "info"), (*program.compose, "version"))
    return shutil.which(program.compose[0]) is not None and all(
        shutil.which(question[0]) is not None
        and subprocess.run(question, capture_output=True, check=False).returncode == 0
        for question in questions
    )


@dataclass(frozen=True, slots=True)
class Compose:
    """Start servers from the compose file of a deployment.

    ``more_files`` are further compose files laid over the rendered one. Volumes stay when the server
    ends: they hold the weights.
    """

    deployment: Deployment
    program: Program
    more_files: tuple[Path, ...] = ()

    def begin(self, launch: Launch) -> ComposeProject:
        """``up``. Raises StartError when compose refuses, UsageError for an unset secret."""
        secret_values(launch)
        folder = Path(tempfile.mkdtemp(prefix="servespec-"))
        rendered = self.write(launch, folder)
        # A server that fails is to be seen to fail: while servespec watches, nothing restarts it.
        once = folder / "once.yaml"
        services = {_service_name(rendered): {"restart": "no"}}
        once.write_text(json.dumps({"services": services}), encoding="utf-8")
        return ComposeProject(self.program, (rendered, once, *self.more_files), folder)

    def write(self, launch: Launch, folder: Path) -> Path:
        """The rendered file, with the host's paths made absolute: it does not lie where it is rendered for."""
        mounts = tuple((str(Path(source).absolute()), inside) for source, inside in launch.mounts)
        (artefact,) = render(self.deployment, "compose", launch=replace(launch, mounts=mounts))
        path = folder / artefact.path
        path.write_text(artefact.text, encoding="utf-8")
        return path


def _service_name(path: Path) -> str:
    return path.name.removesuffix(".compose.yaml")


class ComposeProject:
    """A project that was brought up."""

    def __init__(self, program: Program, files: Sequence[Path], folder: Path) -> None:
        """Bring it up; it is taken down again when that fails."""
        self._program = program
        self._folder = folder
        self._compose = (*program.compose, *(word for path in files for word in ("-f", str(path))))
        self._exit_code: int | None = None
        self._container = ""
        self._is_down = False
        up = subprocess.run((*self._compose, "up", "-d"), capture_output=True, text=True, check=False)
        self._container = self._find_container() if up.returncode == 0 else ""
        if not self._container:
            self.stop(0)
            said = "\n".join((up.stderr or up.stdout).strip().splitlines()[-5:])
            raise StartError(f"{' '.join(program.compose)} up failed:\n{said}")

    def lines(self) -> Iterator[str]:
        """The container's log."""
        follow = subprocess.Popen(
            (self._program.engine, "logs", "-f", self._container),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        with follow:
            if follow.stdout is not None:
                for line in follow.stdout:
                    yield line.rstrip("\n")

    def poll(self) -> int | None:
        """The container's exit code, None while it runs."""
        if self._exit_code is None:
            asked = subprocess.run(
                (self._program.engine, "inspect", "--format", _STATE, self._container),
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode != 0:
                self._exit_code = 1
            else:
                state = json.loads(asked.stdout)
                if state["Status"] in ("exited", "dead", "stopped"):
                    self._exit_code = int(state["ExitCode"])
        return self._exit_code

    def stop(self, grace_seconds: float) -> None:
        """``down``: containers and networks go, volumes stay."""
        if self._is_down:
            return
        self.poll() if self._container else None
        subprocess.run(
            (*self._compose, "down", "-t", str(int(grace_seconds))), capture_output=True, check=False
        )
        self._is_down = True
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """``kill`` the container."""
        subprocess.run((self._program.engine, "kill", self._container), capture_output=True, check=False)

    def _find_container(self) -> str:
        listed = subprocess.run(
            (*self._compose, "ps", "-a", "-q"), capture_output=True, text=True, check=False
        )
        if listed.returncode != 0:
            listed = subprocess.run((*self._compose, "ps", "-q"), capture_output=True, text=True, check=False)
        return next(iter(listed.stdout.split()), "")
