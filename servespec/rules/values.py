"""SV228: values under the spec's own keys that the flag of this version does not take."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.flag_catalogue import load
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

_OF_OTHER_RULES = frozenset({"max_lora_rank", "quantization", "quantize"})
"""SV240 and the rules about quantization say more of these."""


@rule(
    code="SV228",
    name="value-not-of-this-version",
    severity=Severity.error,
    summary="The value of a key of the spec is not one that the engine's flag takes in this version.",
    explanation="A key of the spec becomes a flag of the engine. Which KV cache types, block sizes and the like that flag "
    "takes differs from engine to engine and from release to release. It is a warning for builds between releases.",
    error_text="error: argument --A: invalid choice: 'B' (choose from ...)\nerror: invalid value 'B' for '--A'",
    fix="Take one of the values that the message lists, or a release that has it.",
    source="the engine's own argument parser, release by release: servespec/engines/<engine>/flags/flags.json",
)
def value_not_of_this_version(subject: Subject) -> Iterable[Finding]:
    """A setting that a key of the spec decides, outside what the flag takes."""
    settings = subject.target.settings
    # A build between two releases may have learnt what the next one takes.
    is_known = subject.target.asked_version == subject.target.version
    severity = Severity.error if is_known else Severity.warning
    catalogue = load(subject.target.engine, subject.target.version)
    for name, setting in settings.items.items():
        if setting.key is None or setting.key.startswith("targets.") or name in _OF_OTHER_RULES:
            continue
        problem = catalogue.check(name, setting.value) if catalogue.get(name) is not None else None
        if problem is not None:
            yield Finding(message=problem.message, key=setting.key, severity=severity)
