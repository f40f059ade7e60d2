"""Where a server runs, and what the runtime asks of it there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Protocol

from servespec.engines.launch import Launch
from servespec.errors import UsageError


class Backend(Protocol):
    """One started server."""

    def lines(self) -> Iterator[str]:
        """Its log, line by line, until it ends."""
        ...

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        ...

    def stop(self, grace_seconds: float) -> None:
        """Ask it to end, and make it end after the grace; nothing of it is left. Idempotent."""
        ...

    def kill(self) -> None:
        """Make it end at once; a ``stop`` that waits for the grace returns."""
        ...


class Place(Protocol):
    """Somewhere to start a server."""

    def begin(self, launch: Launch) -> Backend:
        """Start it. Raises StartError or UsageError when it cannot even be tried."""
        ...


def secret_values(launch: Launch) -> Mapping[str, str]:
    """The variables that a launch refers to, with their values from this environment.

    Raises:
        UsageError: one of them is not set; the message names it, never a value.
    """
    holders = {*launch.secrets.values(), *(holder for _, holder in launch.secret_flags)}
    missing = sorted(holder for holder in holders if holder not in os.environ)
    if missing:
        raise UsageError(
            f"the spec refers to {', '.join(missing)}, which this environment does not set: export it, "
            "or take the reference out of the spec"
        )
    return {holder: os.environ[holder] for holder in holders}
