"""A rule: one function that looks at one thing and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.diagnostics import Diagnostic, Fix, Severity
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.rules.subject import Subject

Check = Callable[["Subject"], Iterable["Finding"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule found: the message, the key in the spec it is about, and what to do.

    ``engine`` is for rules of scope ``spec`` that look at single targets all the same.
    """

    message: str
    key: str | None = None
    fix: Fix | None = None
    severity: Severity | None = None
    engine: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything that the documentation, SARIF and ``explain`` say of a finding's code.

    ``versions`` is a specifier like ``>=0.10,<0.21`` of the engine's versions that it holds for.
    ``error_text`` is what the engine itself prints, so that a search for it finds the rule.
    ``source`` names where the fact was read: engine, version, file. ``fix`` says what to do in general.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    explanation: str
    engine: str | None = None
    versions: str = ""
    error_text: str = ""
    source: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Card):
    """A card and the function that looks.

    ``scope``: ``spec`` runs once a file, ``target`` once a target whose deployment could be made.
    ``triggers`` are words of :func:`servespec.rules.subject.words`; a rule that names some is run,
    and its module imported, only where at least one of them is said. None named: always.
    """

    check: Check
    scope: str = "target"
    triggers: tuple[str, ...] = ()

    def applies(self, subject: Subject) -> bool:
        """Whether the rule is meant for the subject's scope, engine and version."""
        deployment = subject.deployment
        if (self.scope == "target") != (deployment is not None):
            return False
        if deployment is None or self.engine is None:
            return True
        return self.engine == deployment.engine and holds(self.versions, subject.version)

    def diagnose(self, subject: Subject) -> Iterator[Diagnostic]:
        """Run the rule and turn what it finds into diagnostics."""
        engine = subject.deployment.engine if subject.deployment else None
        for finding in self.check(subject):
            yield Diagnostic(
                code=self.code,
                severity=finding.severity or self.severity,
                message=finding.message,
                engine=finding.engine or engine,
                key=finding.key,
                fix=finding.fix or self._way_out(finding),
            )

    def _way_out(self, finding: Finding) -> Fix | None:
        """The card's own words of what to do, where the message ends without: it says so after a colon."""
        is_advice = (finding.severity or self.severity) is Severity.info
        is_said = ": " in finding.message and not finding.message.endswith("refuses")
        return None if is_advice or is_said or not self.fix else Fix(self.fix)


def rule(
    *,
    code: str,
    name: str,
    severity: Severity,
    summary: str,
    explanation: str,
    engine: str | None = None,
    versions: str = "",
    error_text: str = "",
    source: str = "",
    fix: str = "",
    scope: str = "target",
    triggers: tuple[str, ...] = (),
) -> Callable[[Check], Rule]:
    """Make a rule of the function below; the arguments are its card."""

    def bind(check: Check) -> Rule:
        return Rule(
            code=code,
            name=name,
            severity=severity,
            summary=summary,
            explanation=explanation,
            engine=engine,
            versions=versions,
            error_text=error_text,
            source=source,
            fix=fix,
            scope=scope,
            triggers=triggers,
            check=check,
        )

    return bind
