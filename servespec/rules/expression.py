"""SV219: keys of the spec that the exact version has no flag for."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines import get_engine
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV219",
    name="inexpressible-key",
    severity=Severity.error,
    summary="This version of the engine has no flag for what a key of the spec asks for.",
    explanation="Every key of the spec becomes the flag of the exact version. Where there is none the key would be "
    "dropped in silence, and another server would start than the one that is described. It is a warning where the "
    "server merely does without.",
    fix="Do as the message says, or take one of the versions that it names.",
    source="the flags of each release: servespec/engines/<engine>/flags/flags.json, keys.py",
)
def inexpressible_key(subject: Subject) -> Iterable[Finding]:
    """Keys that lowering has no way to say."""
    deployment = subject.target
    for found in get_engine(deployment.engine).inexpressible(deployment):
        yield Finding(message=found.message, key=found.key, fix=found.fix, severity=found.severity)
