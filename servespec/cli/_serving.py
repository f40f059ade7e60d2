"""What the commands share that start a server: the spec made ready, the place chosen, progress shown."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from servespec.errors import ServespecError, UsageError

if TYPE_CHECKING:
    from rich.status import Status

    from servespec.deployment import Deployment
    from servespec.report.model import CheckReport
    from servespec.runtime import Place, Running


MOST_LOG_BYTES = 16 << 20
"""What a server says of its start is in the first megabyte."""


class RefusedError(ServespecError):
    """The check found errors; the message is its report."""

    exit_code = 1


def deployment_of(
    file: Path, target: str | None, *, online: bool, force: bool = False, is_up: bool = False
) -> Deployment:
    """The deployment of one target of a spec that was checked.

    ``is_up``: its server runs already or has run, so nothing is left to refuse, and the GPU's memory is
    predicted as it was before the start.

    Raises:
        UsageError: no target is named and the spec has several.
        RefusedError: the engine would refuse it, or it does not fit (``force`` goes on all the same).
    """
    from servespec.api import check, resolve
    from servespec.cli._inputs import load_one
    from servespec.diagnostics import Severity
    from servespec.report import write
    from servespec.resolve import engines_of

    loaded = load_one(file)
    spec = loaded.spec or loaded.partial
    engines = engines_of(spec) if spec is not None else ()
    if target is None and len(engines) > 1:
        raise UsageError(f"{file} is for {', '.join(engines)}: name one with --target")
    engine = target or next(iter(engines), None)
    if loaded.spec is None or engine is None or not (force or is_up):
        report = check((loaded,), targets=(engine,) if engine else (), online=online)
        checked = report.files[0].targets[0].deployment if report.files[0].targets else None
        if loaded.spec is None or engine is None or report.count(Severity.error):
            hint = "" if checked is None or loaded.spec is None else "\n(--force starts it all the same)"
            raise RefusedError(f"the check refuses it\n\n{write(_errors_of(report), 'text')}{hint}")
        if checked is not None:
            return checked
    return resolve(loaded.spec, engine, loaded.directory, online=online, is_up=is_up)


def _errors_of(report: CheckReport) -> CheckReport:
    """The report without what does not stand in the way."""
    from dataclasses import replace

    from servespec.diagnostics import Severity
    from servespec.report.model import CheckReport

    files = (
        replace(file, diagnostics=tuple(d for d in file.diagnostics if d.severity is Severity.error))
        for file in report.files
    )
    return CheckReport(files=tuple(files))


def choose_place(deployment: Deployment, engine_python: Path | None, compose: str | None) -> Place:
    """This host, or compose by ``auto``, ``docker`` or ``podman``. Raises UsageError for both, StartError for none."""
    from servespec.runtime import Host
    from servespec.runtime.compose import Compose, find_program

    if compose is None:
        return Host(engine_python)
    if engine_python is not None:
        raise UsageError("--engine-python and --compose are two places; name one")
    return Compose(deployment, find_program(None if compose == "auto" else compose))


class Progress:
    """Shows phases on standard error while a server starts, and its log on standard output once asked to.

    On a terminal one line is kept up to date; elsewhere every phase is a line.
    """

    def __init__(self, title: str, *, log: TextIO | None = None, follow: bool = False) -> None:
        """``log`` gets every line; ``follow`` shows lines from the beginning."""
        self.follow = follow
        self.is_ready = False
        self._title = title
        self._log = log
        self._status: Status | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While in the block, phases are shown."""
        if not sys.stderr.isatty() or self.follow:
            print(f"{self._title}: starting", file=sys.stderr, flush=True)
            yield
            return
        from rich.console import Console

        with Console(stderr=True).status(f"{self._title}: starting") as self._status:
            yield
        self._status = None

    def phase(self, name: str, seconds: float) -> None:
        """A phase began."""
        if self._status is not None:
            self._status.update(f"{self._title}: {name} · {seconds:.0f} s")
        else:
            print(f"{self._title}: {name} · {seconds:.0f} s", file=sys.stderr, flush=True)

    def line(self, text: str) -> None:
        """The log has a new line."""
        if self._log is not None:
            self._log.write(text + "\n")
            self._log.flush()
        if self.follow:
            print(text, flush=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end things in order too, as Ctrl-C does, even where a shell has it ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def started(
    deployment: Deployment, place: Place, progress: Progress, limit_seconds: float | None
) -> Iterator[Running]:
    """A server that is ready inside the block and gone after it."""
    from servespec.runtime import run

    with progress.shown():
        server = run(deployment, place, limit_seconds=limit_seconds, watcher=progress)
    with server:
        progress.is_ready = True
        print(
            f"{deployment.engine} {deployment.version} is ready after {server.seconds:.0f} s: "
            f"{server.launch.served_model_name} at {server.url}",
            file=sys.stderr,
            flush=True,
        )
        yield server


def read_text(path: Path) -> str:
    """The first MOST_LOG_BYTES of a log; ``-`` is standard input. Bytes that are no UTF-8 are replaced.

    Raises UsageError.
    """
    from servespec.spec.source import read_regular

    if str(path) == "-":
        return sys.stdin.buffer.read(MOST_LOG_BYTES).decode("utf-8", errors="replace")
    try:
        return read_regular(str(path), MOST_LOG_BYTES)[:MOST_LOG_BYTES].decode("utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
