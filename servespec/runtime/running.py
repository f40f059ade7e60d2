"""A server from its start to its end: progress, readiness, log, and an end that leaves nothing behind."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from servespec.engines.launch import Launch
from servespec.engines.observed import LogReader, Observed
from servespec.errors import StartError
from servespec.runtime.advice import advice
from servespec.runtime.place import Backend, Place
from servespec.runtime.readiness import answers, is_port_taken, reachable_url

Enough = Callable[[Observed], bool]
"""Whether what the log says is all that is wanted of a start."""

LOG_LINES_KEPT = 20_000
TAIL_LINES = 15
UNREADY_GRACE_SECONDS = 2.0
"""Grace of a server that never answered: it has no request to finish, and engines do not hear SIGTERM while they
load, profile or compile."""
_POLL_SECONDS = 0.5


class Watcher(Protocol):
    """Is told what happens, as it happens; called from another thread."""

    def phase(self, name: str, seconds: float) -> None:
        """A phase began, so many seconds after the start."""
        ...

    def line(self, text: str) -> None:
        """The log has a new line."""
        ...


class StartFailed(StartError):
    """The server ended, or was not ready in time.

    ``exit_code`` is its own, None when it was stopped; ``reason`` the decisive log line, ``remedy`` what the
    spec should change, ``tail`` the end of the log, ``observed`` what the log says of memory.
    """

    def __init__(
        self,
        what: str,
        *,
        exit_code: int | None,
        reason: str | None,
        remedy: str | None,
        tail: tuple[str, ...],
        observed: Observed,
    ) -> None:
        """Put the parts together; the tail is shown where no line is decisive."""
        parts = [what]
        parts += [f"  reason: {reason}"] if reason else [f"  | {line}" for line in tail]
        parts += [f"  change: {remedy}"] if remedy else []
        super().__init__("\n".join(parts))
        self.exit_code_of_server = exit_code
        self.reason = reason
        self.remedy = remedy
        self.tail = tail
        self.observed = observed


class Running:
    """A server that was started. Leaving the ``with`` block stops it."""

    def __init__(
        self, launch: Launch, reader: LogReader, backend: Backend, watcher: Watcher | None = None
    ) -> None:
        """Take over a started server and begin to read its log."""
        self.launch = launch
        self.url = reachable_url(launch)
        self._reader = reader
        self._backend = backend
        self._watcher = watcher
        self._started = time.monotonic()
        self._log: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self._phase = "starting"
        self._lock = threading.Lock()
        self._was_ready = False
        self._follower = threading.Thread(target=self._follow, name="log", daemon=True)
        self._follower.start()

    def __enter__(self) -> Self:
        """The server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server, whatever happened."""
        self.stop()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def phase(self) -> str:
        """The phase that the log speaks of last."""
        return self._phase

    def log(self) -> tuple[str, ...]:
        """The log so far, its last 20,000 lines."""
        return tuple(self._log)

    def observed(self) -> Observed:
        """What the log says so far."""
        with self._lock:
            return self._reader.observed()

    def poll(self) -> int | None:
        """The exit code, None while the server runs."""
        return self._backend.poll()

    def wait(self) -> int:
        """Block until the server ends by itself; returns its exit code."""
        while (code := self.poll()) is None:
            time.sleep(_POLL_SECONDS)
        self._follower.join(timeout=5)
        return code

    def wait_until_ready(
        self, limit_seconds: float, api_key: str | None = None, enough: Enough | None = None
    ) -> None:
        """Block until the model answers, or until the log says ``enough``.

        Raises:
            StartFailed: it ended before, or did not answer within ``limit_seconds``.
        """
        launch = self.launch
        while not answers(self.url, launch.health_path, launch.served_model_name, api_key):
            if enough is not None and enough(self.observed()):
                return
            if (code := self.poll()) is not None:
                self._follower.join(timeout=5)
                raise self._failure(f"{launch.engine} {launch.version} did not start: {_ended(code)}", code)
            if self.seconds > limit_seconds:
                what = f"{launch.engine} {launch.version} was not ready after {self.seconds:.0f} s ({self._phase})"
                raise self._failure(what, None)
            time.sleep(_POLL_SECONDS)
        self._was_ready = True

    def stop(self) -> None:
        """End the server within its grace period; a second interrupt ends it at once. Idempotent.

        One that was never ready gets ``UNREADY_GRACE_SECONDS``.
        """
        grace_seconds = self.launch.stop_seconds if self._was_ready else UNREADY_GRACE_SECONDS
        try:
            self._backend.stop(grace_seconds)
        except KeyboardInterrupt:
            self._backend.kill()
            self._backend.stop(0)
        self._follower.join(timeout=5)

    def _follow(self) -> None:
        for line in self._backend.lines():
            self._log.append(line)
            with self._lock:
                phase = self._reader.feed(line)
            if phase is not None:
                self._phase = phase
            if self._watcher is not None:
                if phase is not None:
                    self._watcher.phase(phase, self.seconds)
                self._watcher.line(line)

    def _failure(self, what: str, code: int | None) -> StartFailed:
        observed = self.observed()
        return StartFailed(
            what,
            exit_code=code,
            reason=observed.refusal,
            remedy=advice(observed, self.launch),
            tail=tuple(line for line in self.log() if line.strip())[-TAIL_LINES:],
            observed=observed,
        )


def start(
    launch: Launch,
    reader: LogReader,
    place: Place,
    *,
    limit_seconds: float | None = None,
    api_key: str | None = None,
    watcher: Watcher | None = None,
    enough: Enough | None = None,
) -> Running:
    """Start a server and wait until its model answers, or until its log says ``enough``.

    ``limit_seconds`` is ``launch.load_seconds`` unless given. Nothing is left behind when it fails.

    Raises:
        StartFailed: the server ended or was not ready in time.
        StartError: it could not be tried: no such program, or the port is taken.
        UsageError: a secret that the launch refers to is not set.
    """
    if is_port_taken(launch):
        raise StartError(
            f"port {launch.port} of {launch.host} is taken by another process: stop that one, or change server.port"
        )
    running = Running(launch, reader, place.begin(launch), watcher)
    try:
        running.wait_until_ready(
            launch.load_seconds if limit_seconds is None else limit_seconds, api_key, enough
        )
    except BaseException:
        running.stop()
        raise
    return running


def _ended(code: int) -> str:
    if code < 0:
        try:
            return f"it was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"it was ended by signal {-code}"
    return f"it ended with exit code {code}"
