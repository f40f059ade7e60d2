"""Reading a start-up log by a table of patterns; each engine's ``logs`` module brings the tables.

A group of a figure's pattern is named after the field of ``Observed`` that it fills: ``…_bytes`` are GiB as
printed, ``version`` is text, ``max_concurrency`` a number, all else integers that may have commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from servespec.engines.observed import Observed

GIB = 1 << 30
MOST_DIGITS = 24
"""Of a figure: what is longer is damage, and no memory or number of tokens."""
MOST_CHARACTERS = 32_768
"""Of a line that are read: its end, as what is said of a failure is last. SGLang prints its arguments in one line of
some 10,000 characters."""
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception): .+")
_OF_THE_SMALLEST_RANK = frozenset({"kv_cache_bytes", "kv_tokens", "num_blocks", "max_concurrency"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that says why a start failed.

    ``kinds_by_phase`` overrides ``kind`` for what means something else in a certain phase: running out of
    memory while loading weights. ``after_name`` puts the line before it in front: a name on its own.
    """

    kind: str
    pattern: re.Pattern[str]
    kinds_by_phase: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    after_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPatterns:
    """How one engine writes its log.

    ``prefix`` is what a logger puts before a message, ``rank`` finds the worker that speaks: the last one
    named where two write at once. ``summed``
    names fields that one worker prints in parts. ``phases`` pairs a pattern with the phase that begins with
    it; ``\\1`` in a phase is the pattern's first group. ``wrappers`` are exceptions that only repeat that
    something failed.
    """

    engine: str
    prefix: re.Pattern[str]
    rank: re.Pattern[str]
    figures: tuple[re.Pattern[str], ...]
    phases: tuple[tuple[re.Pattern[str], str], ...]
    refusals: tuple[Refusal, ...]
    wrappers: re.Pattern[str]
    summed: frozenset[str] = frozenset()


READY = "ready"


class PatternReader:
    """A ``LogReader`` over ``LogPatterns``."""

    def __init__(self, patterns: LogPatterns, version: str | None) -> None:
        """Start before the first line; ``version`` stands where the log does not name its own."""
        self._patterns = patterns
        self._version = version
        self._phase = ""
        self._by_rank: dict[str, dict[str, Any]] = {}
        self._precision: dict[str, dict[str, float]] = {}
        self._refusal: tuple[str, str] | None = None
        self._last_exception: str | None = None
        self._previous = ""

    def feed(self, line: str) -> str | None:
        """Take one line; returns the phase that begins with it, if any."""
        text = _ANSI.sub("", line.rstrip("\r\n").rpartition("\r")[2][-MOST_CHARACTERS:])
        message = self._patterns.prefix.sub("", text, count=1)
        self._read_figures(text, message)
        if self._phase != READY:
            self._read_refusal(message)
        self._previous = message.strip()
        return self._read_phase(message)

    def observed(self) -> Observed:
        """All that the lines so far say."""
        ready = self._phase == READY
        refusal, kind = self._refusal or (None, None)
        if refusal is None and not ready and self._last_exception is not None:
            refusal, kind = self._last_exception, "crashed"
        return Observed(
            engine=self._patterns.engine,
            ready=ready,
            refusal=refusal,
            refusal_kind=kind,
            precision=MappingProxyType(self._coarsest()),
            ranks=MappingProxyType(self._ranks()),
            **({"version": self._version} | self._figures()),
        )

    def _read_figures(self, text: str, message: str) -> None:
        for pattern in self._patterns.figures:
            found = pattern.search(message)
            if found is None:
                continue
            rank = (self._patterns.rank.findall(text) or ("",))[-1]
            values = self._by_rank.setdefault(rank, {})
            precisions = self._precision.setdefault(rank, {})
            for name, printed in found.groupdict().items():
                if printed is None or (len(printed) > MOST_DIGITS and name != "version"):
                    continue
                value, precision = _convert(name, printed)
                if name in self._patterns.summed and name in values:
                    value += values[name]
                    precision += precisions[name]
                values[name] = value
                if precision:
                    precisions[name] = precision

    def _figures(self) -> dict[str, Any]:
        """One value a field: of the worker with the least KV cache, else the largest of all workers."""
        merged: dict[str, Any] = {}
        for values in self._by_rank.values():
            for name, value in values.items():
                if name not in merged:
                    merged[name] = value
                elif name in _OF_THE_SMALLEST_RANK:
                    merged[name] = min(merged[name], value)
                elif name != "version":
                    merged[name] = max(merged[name], value)
        return merged

    def _coarsest(self) -> dict[str, float]:
        coarsest: dict[str, float] = {}
        for precisions in self._precision.values():
            for name, precision in precisions.items():
                coarsest[name] = max(precision, coarsest.get(name, 0.0))
        return coarsest

    def _ranks(self) -> dict[str, Mapping[str, Any]]:
        """What each worker said, where several speak of memory."""
        found: dict[str, Mapping[str, Any]] = {
            rank: MappingProxyType(dict(values))
            for rank, values in self._by_rank.items()
            if rank and any(name.endswith("_bytes") for name in values)
        }
        return found if len(found) > 1 else {}

    def _read_refusal(self, message: str) -> None:
        stripped = message.strip()
        if self._refusal is None:
            for refusal in self._patterns.refusals:
                if refusal.pattern.search(stripped):
                    kind = refusal.kinds_by_phase.get(self._phase.split(" (")[0], refusal.kind)
                    said = f"{self._previous}: {stripped}" if refusal.after_name else stripped
                    self._refusal = (_without_noise(said), kind)
                    return
        if _EXCEPTION.match(stripped) and not self._patterns.wrappers.search(stripped):
            self._last_exception = _without_noise(stripped)

    def _read_phase(self, message: str) -> str | None:
        for pattern, phase in self._patterns.phases:
            found = pattern.search(message)
            if found is None:
                continue
            phase = found.expand(phase)
            if phase == self._phase or self._phase == READY:
                return None
            self._phase = phase
            return phase
        return None


def _convert(name: str, printed: str) -> tuple[Any, float]:
    """The value, and half a unit of its last printed digit; 0 for what is printed in full."""
    if name == "version":
        return printed, 0.0
    decimals = len(printed.partition(".")[2])
    if name.endswith("_bytes"):
        return round(float(printed) * GIB), 0.5 * 10.0**-decimals * GIB
    if name == "max_concurrency":
        return float(printed), 0.5 * 10.0**-decimals
    return int(printed.replace(",", "")), 0.0


def _without_noise(message: str) -> str:
    """The message less what pydantic appends for programmers."""
    return message.split(" [type=", 1)[0]
