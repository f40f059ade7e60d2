"""What ``check`` found, ready to be told in any format."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from servespec.deployment import Deployment
from servespec.diagnostics import Diagnostic, Severity
from servespec.memory.budget import MemoryBudget, Verdict
from servespec.spec.source import Source


class TargetReport(NamedTuple):
    """One engine's part: ``version`` is the one that is followed; None without a budget or deployment."""

    engine: str
    version: str
    verdict: Verdict
    deployment: Deployment | None = None
    budget: MemoryBudget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file's part. ``path`` is as given; ``sources`` are its text and that of its bases."""

    path: str
    name: str | None
    verdict: Verdict
    targets: tuple[TargetReport, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """All files, in the order in which they were given."""

    files: tuple[FileReport, ...]

    def diagnostics(self) -> Iterator[Diagnostic]:
        """The findings of all files."""
        for file in self.files:
            yield from file.diagnostics

    def count(self, severity: Severity) -> int:
        """How many findings there are of one severity."""
        return sum(diagnostic.severity is severity for diagnostic in self.diagnostics())

    def exit_code(self, *, strict: bool = False) -> int:
        """1 when anything is an error (``strict``: or a warning), else 0."""
        return int(self.count(Severity.error) > 0 or (strict and self.count(Severity.warning) > 0))


def _restored(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


def _reduced(mapping: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return _restored, (dict(mapping),)


copyreg.pickle(MappingProxyType, _reduced)  # reports cross process borders when files are checked in parallel
