"""A probe: one question to a running server, and what its answer proves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Outcome(StrEnum):
    """What came of a probe."""

    passed = "passed"
    failed = "failed"
    skipped = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a probe saw."""

    outcome: Outcome
    message: str
    seconds: float = 0.0
    details: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server as probes see it."""

    url: str
    model: str
    max_model_len: int | None
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe: its name, what it proves, and the call that asks."""

    name: str
    description: str
    run: Callable[[Server], Evidence]
