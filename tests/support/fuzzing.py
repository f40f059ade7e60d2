"""Properties under a stopwatch: every example is counted, timed, stopped when it hangs, and its memory watched.

``SERVESPEC_FUZZ_EXAMPLES`` is the number of examples of each property; `make fuzz` sets it for a long run.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

EXAMPLES = int(os.environ.get("SERVESPEC_FUZZ_EXAMPLES", "100"))
LIMIT_SECONDS = 2.0
"""Of processor time for one example: other processes of the machine do not count."""
HANG_SECONDS = 30
"""Of the clock: an example that waits for something is stopped then."""
LIMIT_BYTES = 500 * 10**6
STATUS = Path("/proc/self/status")


@dataclass(slots=True)
class Measured:
    """What one property came to: examples and the longest of them."""

    examples: int = 0
    longest_seconds: float = 0.0


MEASURED: dict[str, Measured] = {}


class HangError(AssertionError):
    """An example that did not end."""


@contextmanager
def watched(name: str) -> Iterator[None]:
    """One example: fails when it takes more than LIMIT_SECONDS, stops it when it waits for HANG_SECONDS."""
    measured = MEASURED.setdefault(name, Measured())
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    gc.disable()  # a collection walks what hypothesis keeps of all examples before
    begin = time.process_time()
    try:
        yield
    finally:
        seconds = time.process_time() - begin
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        measured.examples += 1
        measured.longest_seconds = max(measured.longest_seconds, seconds)
    assert seconds < LIMIT_SECONDS, f"{seconds:.1f} s for one example"


def _stop(*_: object) -> None:
    raise HangError(f"an example did not end within {HANG_SECONDS} s")


def fuzz(
    *strategies: Any, share: float = 1.0, **named: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property over these strategies, each example of it watched; a slow one has a ``share`` of the examples."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def one(*arguments: Any, **keywords: Any) -> None:
            with watched(function.__name__):
                function(*arguments, **keywords)

        checks = [
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.function_scoped_fixture,
            HealthCheck.large_base_example,
        ]
        return settings(
            max_examples=max(round(EXAMPLES * share), 1),
            deadline=None,
            suppress_health_check=checks,
            phases=(
                Phase.explicit,
                Phase.reuse,
                Phase.generate,
                Phase.shrink,
            ),  # explaining traces every line
        )(given(*strategies, **named)(one))

    return decorate


def resident_bytes(key: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (the peak) of this process; 0 where the system does not tell."""
    try:
        text = STATUS.read_text("ascii")
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith(f"{key}:")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    """Let the peak start again from what is resident now (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
