"""SV20x: flags that the exact version does not have, or not with such a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from servespec.diagnostics import Change, Fix, Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject, written_name

_AT_LEAST_ONE = frozenset(f"{kind}_parallel_size" for kind in ("tensor", "pipeline", "data")) | {
    "tp_size",
    "pp_size",
    "dp_size",
    "tp",
    "pp",
    "dp",
    "num_shard",
    "max_num_seqs",
    "max_num_batched_tokens",
    "block_size",
    "page_size",
    "max_running_requests",
    "nnodes",
    "max_model_len",
    "context_length",
}
"""Sizes of which every engine needs one; older releases state no bound and divide by zero."""
_SOURCE = "the engine's own argument parser, release by release: servespec/engines/<engine>/flags/flags.json"


def _findings(subject: Subject, *codes: str) -> Iterator[Finding]:
    for engine, name, problem in subject.flag_problems:
        if problem.code not in codes:
            continue
        key = f"targets.{engine}.args.{name}"
        fix = None
        if problem.suggestion and problem.code in ("unknown-flag", "deprecated-flag"):
            new = problem.suggestion.lstrip("-").replace("-", "_")
            turned = name.lstrip("-").startswith(("disable", "no")) != new.startswith(("disable", "no"))
            fix = Fix(
                f"see {new}" if turned else f"write {new}",
                changes=() if turned else (Change(key, rename=new, safe=False),),
            )
        elif problem.suggestion and problem.code == "bad-choice":
            fix = Fix(f"write {problem.suggestion}", changes=(Change(key, problem.suggestion, safe=False),))
        if problem.code == "unknown-flag" and _is_of_a_release_not_named(subject, engine, name):
            message = (
                f"{problem.message}; no version is named, so the newest is followed: name the one that runs"
            )
            yield Finding(message=message, key=key, fix=fix, engine=engine, severity=Severity.warning)
            continue
        yield Finding(message=problem.message, key=key, fix=fix, engine=engine)


def _is_of_a_release_not_named(subject: Subject, engine: str, name: str) -> bool:
    from servespec.engines.flag_catalogue import load

    return subject.spec.targets[engine].version is None and bool(load(engine, "newest").history(name))


@rule(
    code="SV201",
    name="unknown-flag",
    severity=Severity.error,
    scope="spec",
    summary="This version of the engine has no such flag.",
    explanation="The name is held against the flags of the exact version. It may be misspelt, belong to "
    "another engine, or have come or gone with another release: the message says which, and the nearest "
    "name. It is a warning where the spec names no version and some release has the flag.",
    error_text="error: unrecognized arguments: --A\nerror: unexpected argument '--A' found",
    fix="Take the name that the message offers; `servespec flags ENGINE VERSION` lists them all.",
    source=_SOURCE,
    triggers=("targets",),
)
def unknown_flag(subject: Subject) -> Iterable[Finding]:
    """A name that the catalogue of the version does not have."""
    return _findings(subject, "unknown-flag", "ambiguous-flag", "extra-argument")


@rule(
    code="SV202",
    name="flag-value",
    severity=Severity.error,
    scope="spec",
    summary="The flag does not take a value of this kind.",
    explanation="A number where a switch is expected, a word where a number is, a list where one value is: "
    "the engine's parser would refuse it.",
    error_text="error: argument --A: invalid int value: 'B'",
    fix="Give a value of the kind that the message names.",
    source=_SOURCE,
    triggers=("targets",),
)
def flag_value(subject: Subject) -> Iterable[Finding]:
    """A value of the wrong kind."""
    return _findings(subject, "bad-value", "missing-value", "unexpected-value")


@rule(
    code="SV203",
    name="flag-choice",
    severity=Severity.error,
    scope="spec",
    summary="The value is not among the choices of the flag in this version.",
    explanation="Choices come and go with releases: a KV cache type or a backend that another version has "
    "may be missing here.",
    error_text="error: argument --A: invalid choice: 'B' (choose from ...)\nerror: invalid value 'B' for "
    "'--A'",
    fix="Take one of the choices that the message lists.",
    source=_SOURCE,
    triggers=("targets",),
)
def flag_choice(subject: Subject) -> Iterable[Finding]:
    """A value outside the choices."""
    return _findings(subject, "bad-choice")


@rule(
    code="SV204",
    name="flag-json",
    severity=Severity.error,
    scope="spec",
    summary="The flag takes JSON, and this is none or has a key that it does not know.",
    explanation="In a spec a JSON flag is best written as a mapping. Text that is no JSON, or a key that "
    "the version's configuration class does not have, stops the engine.",
    error_text="error: argument --A: Value B cannot be converted to <function loads>",
    fix="Write a mapping; take the keys that the message offers.",
    source=_SOURCE,
    triggers=("targets",),
)
def flag_json(subject: Subject) -> Iterable[Finding]:
    """Text that is no JSON, or an unknown key in it."""
    return _findings(subject, "bad-json", "unknown-key")


@rule(
    code="SV205",
    name="flag-range",
    severity=Severity.error,
    scope="spec",
    summary="The value lies outside what the flag allows.",
    explanation="The engine's own configuration class bounds the number.",
    error_text="Input should be greater than or equal to A",
    fix="Give a value within the bounds that the message names.",
    source=_SOURCE,
    triggers=("targets",),
)
def flag_range(subject: Subject) -> Iterable[Finding]:
    """A number out of bounds, or a size that is none."""
    yield from _findings(subject, "out-of-range")
    reported = {(engine, name) for engine, name, _ in subject.flag_problems}
    for engine, target in subject.spec.targets.items():
        for name, value in target.args.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if (engine, name) in reported or not is_number or written_name(name) not in _AT_LEAST_ONE:
                continue
            if value < 1 and not (
                value == -1 and written_name(name) == "max_model_len"
            ):  # vLLM: as much as fits
                yield Finding(
                    message=f"{name}: {value} is not at least 1",
                    key=f"targets.{engine}.args.{name}",
                    engine=engine,
                )


@rule(
    code="SV206",
    name="flag-retired",
    severity=Severity.error,
    scope="spec",
    summary="The flag is still known, and stops the engine.",
    explanation="Some releases keep the name of a removed flag to say what took its place, and then refuse "
    "to start.",
    error_text="--A is deprecated and no longer has an effect",
    fix="Take what the message offers.",
    source=_SOURCE,
    triggers=("targets",),
)
def flag_retired(subject: Subject) -> Iterable[Finding]:
    """A flag that only exists to refuse."""
    return _findings(subject, "refused-flag", "repeated-flag")


@rule(
    code="SV207",
    name="flag-deprecated",
    severity=Severity.warning,
    scope="spec",
    summary="The flag will go away.",
    explanation="The engine starts and warns; a later release will refuse the flag. `servespec upgrade` "
    "shows when.",
    error_text="--A is deprecated",
    fix="Take the replacement that the message names.",
    source=_SOURCE,
    triggers=("targets",),
)
def flag_deprecated(subject: Subject) -> Iterable[Finding]:
    """A deprecated flag."""
    return _findings(subject, "deprecated-flag", "abbreviated-flag")


@rule(
    code="SV208",
    name="flag-against-key",
    severity=Severity.error,
    summary="A key of the spec and the flag that it becomes are both given.",
    explanation="The spec's own key is written as the flag when the command is made. Given both there is "
    "no telling which of two numbers is meant.",
    fix="Keep the key of the spec; it is checked and works for every engine.",
    source="servespec: docs/design.md, the language",
    triggers=("targets",),
)
def flag_against_key(subject: Subject) -> Iterable[Finding]:
    """An effective setting decided by a spec key, and in args too."""
    prefix = f"targets.{subject.target.engine}.args."
    reported: set[str] = set()
    for name, (written, value) in subject.args.items():
        if name not in subject.target.settings or written in reported:
            continue
        setting = subject.target.settings[name]
        if setting.key is None or setting.key.startswith("targets.") or value is None:
            continue
        reported.add(written)
        key = f"{prefix}{written}"
        yield Finding(
            message=f"{written} is what {setting.key} becomes, and both are given: keep {setting.key} ({setting.value})",
            key=key,
            fix=Fix(f"remove {written}", changes=(Change(key, remove=True, safe=setting.value == value),)),
        )


@rule(
    code="SV209",
    name="unknown-variable",
    severity=Severity.warning,
    summary="The engine's version does not read this environment variable.",
    explanation="A variable with the engine's own prefix that no line of the release reads has no effect: "
    "it is misspelt, or of another release.",
    error_text="Unknown vLLM environment variable detected: A",
    fix="Correct the name, or use the flag that took its place.",
    source="the variables that the engine's own source reads, release by release",
    triggers=("env", "targets"),
)
def unknown_variable(subject: Subject) -> Iterable[Finding]:
    """A variable with the engine's prefix that the version does not know."""
    from servespec.engines.flag_catalogue import load

    prefix = f"{subject.target.engine.upper()}_"
    asked = [name for name in subject.env if name.startswith(prefix)]
    if not asked:
        return
    known = load(subject.target.engine, subject.target.version).environment
    if not known:
        return
    from difflib import get_close_matches

    for name in asked:
        if name in known:
            continue
        own = name in subject.target.target.env
        near = get_close_matches(name, sorted(known), 1, 0.8)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield Finding(
            message=f"{subject.target.engine} {subject.target.version} reads no variable {name}{hint}",
            key=f"targets.{subject.target.engine}.env.{name}" if own else f"env.{name}",
        )
