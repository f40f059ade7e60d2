"""What ``plan``, ``smoke`` and ``bench`` wrote with ``--format json``, read back for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from servespec.bench.report import BenchReport
from servespec.errors import UsageError
from servespec.report.model import CheckReport
from servespec.smoke.reconcile import Comparison
from servespec.spec.model import Workload

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEnd:
    """One end of an estimate's range."""

    ttft_seconds: float
    itl_seconds: float
    output_tokens_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRange:
    """What an answer is estimated to do."""

    slow: PlannedEnd
    fast: PlannedEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAnswer:
    """One answer of a plan as it was written down."""

    gpus: int
    price_per_hour: float | None
    currency: str | None
    gpu: str
    replicas: int
    nodes: int
    tensor: int
    pipeline: int
    data: int
    engine: str
    version: str
    concessions: str
    kv_room: float
    estimate: PlannedRange


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRefusal:
    """Why other configurations are no answer."""

    words: str
    configurations: int
    gpus: tuple[str, ...]
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSearch:
    """How much was searched."""

    configurations: int


@dataclass(frozen=True, slots=True)
class PlanEvidence:
    """A plan as it was written down; ``refusals`` is what the file calls ``not``."""

    name: str
    workload: Workload
    estimates: str
    formulas: Mapping[str, str]
    answers: tuple[PlannedAnswer, ...]
    of_each: tuple[PlannedAnswer, ...]
    refusals: Annotated[tuple[PlannedRefusal, ...], Field(validation_alias="not")]
    dominated: int
    search: PlannedSearch


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of running servers; each belongs to the target of its spec's name and engine.

    A plan belongs to the spec of its name.
    """

    smoke: tuple[SmokeEvidence, ...] = ()
    bench: tuple[BenchReport, ...] = ()
    plans: tuple[PlanEvidence, ...] = ()

    def of(self, name: str | None, engine: str) -> Evidence:
        """The part of one target."""
        return Evidence(
            tuple(one for one in self.smoke if (one.name, one.engine) == (name, engine)),
            tuple(one for one in self.bench if (one.name, one.engine) == (name, engine)),
        )

    def plans_of(self, name: str | None) -> tuple[PlanEvidence, ...]:
        """The plans of one spec."""
        return tuple(one for one in self.plans if one.name == name)


def read_evidence(
    smoke: Sequence[Path], bench: Sequence[Path], report: CheckReport, plans: Sequence[Path] = ()
) -> Evidence:
    """Read files of evidence. Raises UsageError for one that is none, or that belongs to nothing of the report."""
    return Evidence(
        tuple(_of_target(path, SmokeEvidence, "smoke", report) for path in smoke),
        tuple(_of_target(path, BenchReport, "bench", report) for path in bench),
        tuple(_of_spec(path, report) for path in plans),
    )


def _of_target(path: Path, kind: type[T], command: str, report: CheckReport) -> T:
    targets = {(file.name, target.engine) for file in report.files for target in file.targets}
    seen = _read(path, kind, command)
    name, engine = getattr(seen, "name", None), getattr(seen, "engine", "")
    if (name, engine) not in targets:
        there = ", ".join(sorted(f"{one} on {other}" for one, other in targets)) or "none"
        raise UsageError(f"{path} is of {name} on {engine}, which is not on this page; there are {there}")
    return seen


def _of_spec(path: Path, report: CheckReport) -> PlanEvidence:
    seen = _read(path, PlanEvidence, "plan")
    names = {file.name for file in report.files}
    if seen.name not in names:
        there = ", ".join(sorted(filter(None, names))) or "none"
        raise UsageError(f"{path} is of {seen.name}, which is not on this page; there are {there}")
    return seen


def _read(path: Path, kind: type[T], command: str) -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MiB: what {command} writes is not")
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path} is not what `servespec {command} --format json` writes: "
            f"{f'{where}: ' if where else ''}{first['msg']}"
        ) from error
