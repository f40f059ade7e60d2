"""The pipeline of ``check``: load, find facts, resolve each target, budget, rules, report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from servespec.control.govern import Selection, govern, policy_findings, settings_for
from servespec.diagnostics import Diagnostic, Severity
from servespec.engines import get_engine
from servespec.errors import ServespecError, UnmodelledError, UsageError
from servespec.memory.budget import Verdict
from servespec.recall import Recall, Same, text_of
from servespec.report.model import CheckReport, FileReport, TargetReport
from servespec.resolve import Facts, engines_of, find_facts, resolve_target, unmodelled
from servespec.rules.registry import rules_in_question
from servespec.rules.subject import Subject, spec_words

if TYPE_CHECKING:
    from pathlib import Path

    from servespec.deployment import Deployment
    from servespec.memory.budget import MemoryBudget
    from servespec.spec.loader import LoadedSpec
    from servespec.spec.model import Spec

_ADVICE_FAMILIES = ("SV1", "SV4", "SV5", "SV6")
"""Errors of these families are no refusal of the settings: memory has verdicts of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``targets`` narrows the engines (empty: the project's, then the spec's), ``online`` lets facts
    come from the Hub, ``selection`` says which findings are wanted."""

    targets: tuple[str, ...] = ()
    online: bool = False
    selection: Selection = field(default_factory=Selection)


DEFAULTS = Options()


def check_files(loaded: Iterable[LoadedSpec], options: Options = DEFAULTS) -> CheckReport:
    """Check loaded specs one after the other. Raises UsageError for a configuration that makes no sense."""
    recall = Recall()
    return CheckReport(files=tuple(check_file(one, options, recall) for one in loaded))


def check_file(loaded: LoadedSpec, options: Options = DEFAULTS, recall: Recall | None = None) -> FileReport:
    """Everything that can be said about one spec, as its project's configuration wants it.

    A spec with mistakes in its language is checked as far as it goes, so that one run reports all
    mistakes; its verdict is ``invalid`` and no budget is shown. ``recall`` keeps what other specs of the same
    call have in common with this one.
    """
    directory = loaded.directory
    recall = Recall() if recall is None else recall
    found = recall.once(("settings", directory), lambda: settings_for(loaded))
    targets = options.targets or (found.settings.targets if found else ())
    spec = loaded.spec or loaded.partial
    diagnostics = list(loaded.diagnostics)
    parts: list[TargetReport] = []
    if spec is not None:
        facts = recall.ask(
            ("facts", directory, options.online), spec, lambda watched: _facts(watched, directory, options)
        )
        more = [*facts.diagnostics, *policy_findings(spec, found)]
        said = spec_words(spec)
        of_spec = recall.ask(
            ("spec", directory, said), spec, lambda watched: _of_spec(watched, directory, said)
        )
        more += of_spec
        for engine in targets or engines_of(spec):
            refused = {d.key for d in of_spec if d.engine == engine and d.key and _is_refusal(d)}
            asked = _without(spec, engine, refused) if refused else spec
            words = said if asked is spec else spec_words(asked)
            part, findings = _target(asked, engine, facts, directory, words, recall)
            parts.append(part._replace(verdict=Verdict.invalid) if refused else part)
            more += [d for d in findings if not (refused and d.code == "SV104")]
        if loaded.spec is None:
            more = [d for d in more if _stands_by_itself(d, loaded)]
            parts = [part._replace(verdict=Verdict.invalid, budget=None) for part in parts]
        diagnostics += more
    verdict = max((part.verdict for part in parts), key=lambda v: v.rank, default=Verdict.invalid)
    if loaded.spec is None:
        verdict = Verdict.invalid
    return FileReport(
        path=loaded.path,
        name=_name(loaded),
        verdict=verdict,
        targets=tuple(parts),
        diagnostics=govern(_not_ignored(loaded, diagnostics), loaded, found, options.selection),
        sources=loaded.sources,
    )


def _of_spec(spec: Spec, directory: Path, said: frozenset[str]) -> list[Diagnostic]:
    return _run_rules(Subject(spec=spec, directory=directory, said=said))


def _target(
    spec: Spec, engine: str, facts: Facts, directory: Path, said: frozenset[str], recall: Recall
) -> tuple[TargetReport, list[Diagnostic]]:
    """One target checked, or as it was found for a spec of which the same was read."""
    about = (engine, text_of(spec.targets.get(engine)), Same(facts), directory, said)
    part, found = recall.ask(
        about, spec, lambda watched: _contained(watched, engine, facts, directory, said), engine
    )
    if part.deployment is not None:
        part = TargetReport(
            engine=engine,
            version=part.version,
            verdict=part.verdict,
            deployment=part.deployment.of(spec),
            budget=part.budget,
        )
    return part, found


def _contained(
    spec: Spec, engine: str, facts: Facts, directory: Path, said: frozenset[str]
) -> tuple[TargetReport, list[Diagnostic]]:
    """A mistake of our own in one target must not take the other targets and files with it."""
    try:
        return _check_target(spec, engine, facts, directory, said)
    except UsageError:
        raise
    except Exception as error:
        part = TargetReport(engine=engine, version=_version(spec, engine), verdict=Verdict.unknown)
        return part, [_failure(error, f"targets.{engine}", engine)]


def _facts(spec: Spec, directory: Path, options: Options) -> Facts:
    try:
        return find_facts(spec, directory, online=options.online)
    except Exception as error:
        return Facts(model=None, gpu=None, diagnostics=(_failure(error, "model"),))


def _failure(error: Exception, key: str, engine: str | None = None) -> Diagnostic:
    """The finding for what servespec could not work out: its own words, or the place where it failed."""
    if isinstance(error, ServespecError):
        message = str(error)
    else:
        import traceback

        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename.replace(chr(92), '/').rpartition('/servespec/')[2]}:{frame.lineno}"
        message = f"servespec itself failed here ({type(error).__name__} in {where}); please report it"
    return Diagnostic(code="SV104", severity=Severity.error, message=message, engine=engine, key=key)


def _check_target(
    spec: Spec, engine: str, facts: Facts, directory: Path, said: frozenset[str]
) -> tuple[TargetReport, list[Diagnostic]]:
    version = _version(spec, engine)
    if facts.gpu is None:
        return TargetReport(engine=engine, version=version, verdict=Verdict.invalid), []
    if facts.model is None or _draft_is_missing(spec, facts):
        return TargetReport(engine=engine, version=version, verdict=Verdict.unknown), []
    try:
        resolution = resolve_target(spec, engine, facts, directory)
    except UnmodelledError as error:
        part = TargetReport(engine=engine, version=version, verdict=Verdict.unknown)
        return part, [unmodelled(error, engine, error.key)]
    deployment = resolution.deployment
    found = list(resolution.diagnostics)
    budget, problem = _budget(deployment)
    found += [problem] if problem else []
    subject = Subject(spec=spec, deployment=deployment, budget=budget, directory=directory, said=said)
    found += _run_rules(subject)
    verdict = Verdict.unknown if budget is None else budget.verdict
    if any(_is_refusal(diagnostic) for diagnostic in found):
        verdict = Verdict.invalid
    part = TargetReport(
        engine=engine, version=deployment.version, verdict=verdict, deployment=deployment, budget=budget
    )
    return part, found


def _is_refusal(diagnostic: Diagnostic) -> bool:
    return diagnostic.severity is Severity.error and not diagnostic.code.startswith(_ADVICE_FAMILIES)


def _without(spec: Spec, engine: str, refused: set[str]) -> Spec:
    """The spec without the flags that the engine's parser refuses: the rest is still worth a look."""
    target = spec.targets.get(engine)
    prefix = f"targets.{engine}.args."
    if target is None or not any(key.startswith(prefix) for key in refused):
        return spec
    kept = {name: value for name, value in target.args.items() if f"{prefix}{name}" not in refused}
    targets = {**spec.targets, engine: target.model_copy(update={"args": kept})}
    return spec.model_copy(update={"targets": targets})


def _budget(deployment: Deployment) -> tuple[MemoryBudget | None, Diagnostic | None]:
    try:
        _refuse_other_accelerator(deployment)
        return get_engine(deployment.engine).budget(deployment), None
    except UnmodelledError as error:
        return None, unmodelled(error, deployment.engine, error.key)


def _refuse_other_accelerator(deployment: Deployment) -> None:
    """An image for another accelerator runs on none of the GPUs that are known."""
    if deployment.target.image is None:
        return
    from servespec.engines.published import other_accelerator

    name = other_accelerator(deployment.target.image)
    if name is not None:
        key = f"targets.{deployment.engine}.image"
        message = f"the image {deployment.target.image} is made for {name}, whose memory is not modelled"
        raise UnmodelledError(name, message, key)


def _run_rules(subject: Subject) -> list[Diagnostic]:
    return [finding for rule in rules_in_question(subject) for finding in rule.diagnose(subject)]


def _version(spec: Spec, engine: str) -> str:
    target = spec.targets.get(engine)
    if target is not None and target.version is not None:
        return target.version
    try:
        return get_engine(engine).newest_version()
    except ServespecError:
        return "unknown"


def _draft_is_missing(spec: Spec, facts: Facts) -> bool:
    speculative = spec.speculative
    return facts.draft is None and speculative is not None and bool(speculative.model or speculative.config)


def _stands_by_itself(diagnostic: Diagnostic, loaded: LoadedSpec) -> bool:
    """Whether a finding about what is left of a broken spec would also hold for the whole of it.

    Figures of memory would not, nor advice, nor anything about a key that is not there as written.
    """
    from servespec.spec.nodes import locate

    if diagnostic.severity is not Severity.error or diagnostic.code.startswith("SV1"):
        return False
    place = locate(loaded.nodes, diagnostic.key) if diagnostic.key else None
    broken = {d.key for d in loaded.diagnostics if d.key}
    version = f"targets.{diagnostic.engine}.version"
    return place is not None and place.exact and broken.isdisjoint({diagnostic.key, version})


def _name(loaded: LoadedSpec) -> str | None:
    if loaded.spec is not None:
        return loaded.spec.name
    from servespec.spec.nodes import Scalar, locate

    place = locate(loaded.nodes, "name")
    value = place.value if place is not None and place.exact else None
    return value.text if isinstance(value, Scalar) and isinstance(value.value, str) else None


def _not_ignored(loaded: LoadedSpec, diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    placed = _in_order(loaded, diagnostics)
    if not loaded.sources or "ignore[" not in loaded.sources[0].text:
        return placed
    from servespec.control.ignores import apply

    return apply(placed, loaded.sources[0], loaded.nodes)


def _in_order(loaded: LoadedSpec, diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Every finding with its place, by line; the same finding of several engines stays several."""
    placed = dict.fromkeys(loaded.place(diagnostic) for diagnostic in diagnostics)
    own = loaded.path

    def order(diagnostic: Diagnostic) -> tuple[bool, str, int, int, str]:
        span = diagnostic.span
        line, column = (span.line, span.column) if span else (0, 0)
        return diagnostic.file != own, diagnostic.file or "", line, column, diagnostic.code

    return tuple(sorted(placed, key=order))
