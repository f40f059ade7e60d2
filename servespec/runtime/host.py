"""A server as a process of this host, in a session of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servespec.engines.launch import Launch
from servespec.errors import StartError
from servespec.models.local import expand_home
from servespec.runtime.place import secret_values

STRAGGLER_SECONDS = 5.0
"""How long child processes have to end by themselves after the server did."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Host:
    """Start servers from an engine's environment: that of ``engine_python``, else what PATH has."""

    engine_python: Path | None = None

    def begin(self, launch: Launch) -> HostProcess:
        """Start the server. Raises StartError when its program is not there, UsageError for an unset secret."""
        secrets = secret_values(launch)
        argv = list(launch.argv_with_secrets(secrets))
        argv[0] = self._program(launch)
        environment = {**os.environ, **launch.environment}
        environment |= {name: secrets[holder] for name, holder in launch.secrets.items()}
        programs = str(Path(argv[0]).parent)
        environment["PATH"] = os.pathsep.join((programs, os.environ.get("PATH", os.defpath)))
        return HostProcess(argv, environment)

    def _program(self, launch: Launch) -> str:
        name = launch.command[0]
        is_python = Path(name).name.startswith("python")
        if self.engine_python is not None:
            return self._beside_python(self.engine_python, name, is_python)
        found = shutil.which(name)
        if found is None or (is_python and not _has_module(found, launch.command)):
            wanted = " ".join(launch.command)
            raise StartError(
                f"{launch.engine} {launch.version} is not installed here: `{wanted}` is not on PATH. "
                "Name the Python of its environment with --engine-python, or use --compose"
            )
        return found

    @staticmethod
    def _beside_python(engine_python: Path, name: str, is_python: bool) -> str:
        # Not resolved: in a virtual environment `python` is a link, and its folder is what counts.
        python = expand_home(engine_python).absolute()
        program = python if is_python else python.parent / name
        if not os.access(program, os.X_OK) or program.is_dir():
            what = f"{program} is no program" if python.exists() else f"there is no {python}"
            raise StartError(f"{what}: --engine-python names the Python of the engine's environment")
        return str(program)


def _has_module(python: str, command: Sequence[str]) -> bool:
    """Whether ``python -m MODULE`` can work: the top package of the module is there."""
    if "-m" not in command:
        return True
    package = command[command.index("-m") + 1].split(".")[0]
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


class HostProcess:
    """A process and its children; its session ends with it."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. A session of its own keeps a terminal's Ctrl-C from it, so that it is stopped in order."""
        try:
            self._process = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise StartError(f"{argv[0]} cannot be run: {error.strerror}") from error
        self._is_stopped = False
        # An interrupt may come before whoever asked for the process has it in hand.
        atexit.register(self._stop_at_exit)

    @property
    def pid(self) -> int:
        """The process id, which is that of its group and session."""
        return self._process.pid

    def lines(self) -> Iterator[str]:
        """Stdout and stderr together; a progress bar's carriage returns end lines too."""
        stdout = self._process.stdout
        if stdout is None:
            return
        with stdout:
            for line in stdout:
                yield line.rstrip("\n")

    def poll(self) -> int | None:
        """The exit code; negative when a signal ended it."""
        return self._process.poll()

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM to the server, SIGKILL after the grace, and the same for children that outlive it.

        The server alone is asked first, as a container's first process would be: engines end their
        workers in order, and workers that are told by themselves make that a crash.
        """
        if self._is_stopped:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._signal_group(signal.SIGTERM)
        deadline = time.monotonic() + STRAGGLER_SECONDS
        while _has_members(self.pid) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.kill()
        self._is_stopped = True
        atexit.unregister(self._stop_at_exit)

    def _stop_at_exit(self) -> None:
        self.stop(0)

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        self._signal_group(signal.SIGKILL)
        self._process.wait()

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return


def _has_members(group: int) -> bool:
    """Whether a process group has a process that is not a zombie.

    Zombies of a group stay where nobody reaps them (a container without an init), so /proc is asked.
    """
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = entry.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(process_group) == group and state != "Z":
            return True
    return False
