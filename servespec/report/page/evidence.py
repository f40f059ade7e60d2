"""What ``smoke --format json`` and ``bench --format json`` wrote, read back for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from servespec.bench.report import BenchReport
from servespec.errors import UsageError
from servespec.report.model import CheckReport
from servespec.smoke.reconcile import Comparison

T = TypeVar("T")
MAX_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenProbe:
    """One probe as it was written down."""

    name: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeEvidence:
    """A smoke test as it was written down."""

    name: str
    engine: str
    version: str
    url: str
    passed: bool
    probes: tuple[SeenProbe, ...]
    reconciliation: tuple[Comparison, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of running servers; each belongs to the target of its spec's name and engine."""

    smoke: tuple[SmokeEvidence, ...] = ()
    bench: tuple[BenchReport, ...] = ()

    def of(self, name: str | None, engine: str) -> Evidence:
        """The part of one target."""
        return Evidence(
            tuple(one for one in self.smoke if (one.name, one.engine) == (name, engine)),
            tuple(one for one in self.bench if (one.name, one.engine) == (name, engine)),
        )


def read_evidence(smoke: Sequence[Path], bench: Sequence[Path], report: CheckReport) -> Evidence:
    """Read files of evidence. Raises UsageError for one that is none, or that belongs to no target of the report."""
    targets = {(file.name, target.engine) for file in report.files for target in file.targets}
    return Evidence(
        tuple(_read(path, SmokeEvidence, "smoke", targets) for path in smoke),
        tuple(_read(path, BenchReport, "bench", targets) for path in bench),
    )


def _read(path: Path, kind: type[T], command: str, targets: set[tuple[str | None, str]]) -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MiB: what {command} writes is not")
    try:
        seen = TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path} is not what `servespec {command} --format json` writes: "
            f"{f'{where}: ' if where else ''}{first['msg']}"
        ) from error
    name, engine = getattr(seen, "name", None), getattr(seen, "engine", "")
    if (name, engine) not in targets:
        there = ", ".join(sorted(f"{one} on {other}" for one, other in targets)) or "none"
        raise UsageError(f"{path} is of {name} on {engine}, which is not on this page; there are {there}")
    return seen
