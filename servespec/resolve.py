"""A spec becomes a :class:`Deployment` for one engine: model facts, GPU facts, effective settings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.deployment import Deployment
from servespec.diagnostics import Change, Diagnostic, Fix, Severity
from servespec.engines import engine_names, get_engine
from servespec.engines.base import Inputs
from servespec.errors import ServespecError, UnknownGPUError, UnmodelledError, UsageError
from servespec.spec.model import Model, Spec, Target

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU
    from servespec.models.facts import ModelFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a spec is about, the same for all its targets; ``gpu`` or ``model`` None: not to be found.

    ``calibration_files`` None: not looked for yet.
    """

    model: ModelFacts | None
    gpu: GPU | None
    draft: ModelFacts | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    calibration_files: tuple[Path, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A deployment and what is to be said about how it came about."""

    deployment: Deployment
    diagnostics: tuple[Diagnostic, ...] = ()


def engines_of(spec: Spec) -> tuple[str, ...]:
    """The engines that a spec is for: its targets, all that there are when it names none."""
    return tuple(spec.targets) or engine_names()


def find_facts(spec: Spec, directory: Path, *, online: bool = False) -> Facts:
    """The model's facts, the GPU's, and the draft model's; what cannot be found is a diagnostic."""
    problems: list[Diagnostic] = []
    gpu = model = draft = None
    try:
        gpu = _gpu(spec)
    except ServespecError as error:
        problems.append(_gpu_problem(error))
    try:
        model = _model(spec, directory, online)
    except ServespecError as error:
        problems.append(_model_problem(error, "model.config" if spec.model.config else "model.id"))
    try:
        draft = _draft(spec, directory, online)
    except ServespecError as error:
        config = spec.speculative is not None and spec.speculative.config is not None
        problems.append(_model_problem(error, "speculative.config" if config else "speculative.model"))
    return Facts(
        model=model,
        gpu=gpu,
        draft=draft,
        diagnostics=tuple(problems),
        calibration_files=_calibration_files(directory),
    )


def resolve_target(spec: Spec, engine_name: str, facts: Facts, directory: Path) -> Resolution:
    """Fill every blank for one engine. ``facts`` has to be complete. Raises ServespecError."""
    from servespec.calibration.store import find_calibration

    assert facts.model is not None
    assert facts.gpu is not None
    if engine_name not in engine_names():
        raise UsageError(f"no engine is named {engine_name!r}; there are {', '.join(engine_names())}")
    engine = get_engine(engine_name)
    target = spec.targets.get(engine_name) or Target()
    _refuse_other_program(engine_name, target)
    asked = target.version or engine.newest_version()
    version = engine.nearest_version(asked)
    target = _with_numbers(target, engine_name, version)
    resolved = engine.resolve(
        Inputs(
            spec=spec,
            target=target,
            version=version,
            model=facts.model,
            gpu=facts.gpu,
            draft=facts.draft,
            directory=directory,
        )
    )
    deployment = Deployment(
        spec=spec,
        engine=engine_name,
        version=version,
        asked_version=asked,
        target=target,
        model=facts.model,
        gpu=facts.gpu,
        settings=resolved.settings,
        draft=facts.draft,
        calibration=find_calibration(
            directory, engine_name, version, facts.gpu.name, facts.calibration_files
        ),
        directory=directory,
    )
    return Resolution(
        deployment=deployment, diagnostics=(*_version_problem(deployment), *resolved.diagnostics)
    )


def _refuse_other_program(engine: str, target: Target) -> None:
    if target.image is None and not target.args:
        return
    from servespec.engines.published import other_program

    found = other_program(engine, target.image, target.args)
    if found is not None:
        raise UnmodelledError(
            found.name,
            f"{found.sign} starts {found.name}, another program than {engine}'s own server: "
            "neither its flags nor its memory are known here",
            key=f"targets.{engine}.{found.key}",
        )


def _with_numbers(target: Target, engine: str, version: str) -> Target:
    """The target with numbers that are written as words (``"16"``, ``8k``) as what the engine's parser makes of them."""
    if not any(isinstance(value, str) for value in target.args.values()):
        return target
    from servespec.engines.flag_catalogue import load
    from servespec.engines.flag_values import BadValue, convert

    catalogue = load(engine, version)
    args = dict(target.args)
    for name, value in target.args.items():
        flag = catalogue.get(name)
        if isinstance(value, str) and flag is not None and flag.kind in ("int", "port", "float", "size"):
            with suppress(BadValue):  # reported as SV202 to SV205
                args[name] = convert(flag, value)
    return target.model_copy(update={"args": args})


def find_facts_or_raise(spec: Spec, directory: Path, *, online: bool = False, is_up: bool = False) -> Facts:
    """The same for a caller who has no report to write to; ``is_up`` takes the GPU as idle. Raises ServespecError."""
    gpu = _gpu(spec)
    if is_up:
        gpu = gpu.idle()
    return Facts(gpu=gpu, model=_model(spec, directory, online), draft=_draft(spec, directory, online))


def _calibration_files(directory: Path) -> tuple[Path, ...] | None:
    from servespec.calibration.store import calibration_files

    try:
        return tuple(calibration_files(directory))
    except OSError:  # told of each target that asks for one
        return None


def _gpu(spec: Spec) -> GPU:
    from servespec.hardware import find

    devices = spec.env.get("CUDA_VISIBLE_DEVICES")
    return find(
        spec.hardware.gpu,
        spec.hardware.memory_gib,
        count=spec.hardware.count,
        devices=None if devices is None or "$" in str(devices) else str(devices),
    )


def _model(spec: Spec, directory: Path, online: bool) -> ModelFacts:
    from servespec.models import find

    return find(spec.model, directory, online)


def _draft(spec: Spec, directory: Path, online: bool) -> ModelFacts | None:
    from servespec.models import find

    speculative = spec.speculative
    if speculative is None or (speculative.model is None and speculative.config is None):
        return None
    draft = Model(id=speculative.model or spec.model.id, config=speculative.config)
    return find(draft, directory, online)


def _model_problem(error: ServespecError, key: str) -> Diagnostic:
    return (
        unmodelled(error, None, key)
        if isinstance(error, UnmodelledError)
        else _error("SV016", str(error), key)
    )


def _gpu_problem(error: ServespecError) -> Diagnostic:
    fix = None
    if isinstance(error, UnknownGPUError) and error.nearest:
        change = Change("hardware.gpu", value=error.nearest, safe=False)
        fix = Fix(f"write {error.nearest}", changes=(change,))
    return _error("SV015", str(error), "hardware.gpu", fix)


def _version_problem(deployment: Deployment) -> tuple[Diagnostic, ...]:
    if deployment.is_exact_version:
        return ()
    message = (
        f"the catalogue of {deployment.engine} has no version {deployment.asked_version}; "
        f"{deployment.version}, the nearest, is followed"
    )
    key = f"targets.{deployment.engine}.version"
    return (
        Diagnostic(
            code="SV017", severity=Severity.warning, message=message, engine=deployment.engine, key=key
        ),
    )


def _error(code: str, message: str, key: str, fix: Fix | None = None) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.error, message=message, key=key, fix=fix)


def unmodelled(error: ServespecError, engine: str | None, key: str) -> Diagnostic:
    """The finding for what is known but not modelled: no budget, and no false one."""
    return Diagnostic(
        code="SV103", severity=Severity.warning, message=f"no budget: {error}", engine=engine, key=key
    )
