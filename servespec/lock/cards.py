"""The finding that a spec and the lock beside it no longer agree."""

from __future__ import annotations

from collections.abc import Iterator

from servespec.diagnostics import Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV019",
    name="lock-drift",
    severity=Severity.warning,
    summary="The spec, or what its verdict rests on, is no longer what servespec.lock was made for.",
    explanation="`servespec lock` pins the model's revision and configuration, the version and image of each engine, "
    "and the calibration that the budget takes. Something of that has changed since: the spec, the catalogue of a "
    "newer servespec, or a calibration. The verdict is that of what holds now.",
    fix="Look at the difference, and make the lock anew with `servespec lock FILE`.",
    scope="spec",
)
def lock_drift(subject: Subject) -> Iterator[Finding]:
    """Every difference to the lock beside the spec."""
    if not (
        subject.directory / "servespec.lock"
    ).is_file():  # nearly always; the rest need not be imported then
        return
    from servespec.errors import SourceError
    from servespec.lock.compare import drift

    try:
        for one in drift(subject.spec, subject.directory):
            yield Finding(message=f"servespec.lock does not agree with this spec: {one}", key=one.key)
    except SourceError as error:
        yield Finding(message=str(error), key="model")
