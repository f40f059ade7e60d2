"""A rule: one function that looks at one thing and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.diagnostics import Diagnostic, Fix, Severity

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.memory.budget import MemoryBudget
    from servespec.spec.model import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule found: the message, the key in the spec it is about, and what to do."""

    message: str
    key: str | None = None
    fix: Fix | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a rule looks at. ``deployment`` and ``budget`` are None for rules of scope ``spec``."""

    spec: Spec
    deployment: Deployment | None = None
    budget: MemoryBudget | None = None


type_check = Callable[[Subject], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rule's card: everything that the documentation, SARIF and ``explain`` say of it.

    ``scope``: ``spec`` runs once a file, ``target`` once a target. ``versions`` is a specifier
    like ``>=0.10,<0.21`` of the engine's versions that it holds for. ``error_text`` is what the
    engine itself prints, so that a search for it finds the rule.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    explanation: str
    check: type_check
    scope: str = "target"
    engine: str | None = None
    versions: str = ""
    error_text: str = ""
    source: str = ""

    def diagnose(self, subject: Subject) -> Iterable[Diagnostic]:
        """Run the rule and turn what it finds into diagnostics."""
        engine = subject.deployment.engine if subject.deployment else None
        for finding in self.check(subject):
            yield Diagnostic(
                code=self.code,
                severity=finding.severity or self.severity,
                message=finding.message,
                engine=engine,
                key=finding.key,
                fix=finding.fix,
            )
