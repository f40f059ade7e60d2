"""A whole request: a spec's file, some engines, some formats → all artefacts, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.errors import UsageError
from servespec.render.artefact import Artefact
from servespec.render.registry import available_formats, render

if TYPE_CHECKING:
    from servespec.report.model import CheckReport
    from servespec.spec.loader import LoadedSpec
    from servespec.spec.model import Spec

EVERY_FORMAT = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of a request. ``report`` is for standard error: what check finds where it is no small matter."""

    artefacts: tuple[Artefact, ...] = ()
    report: str = ""
    is_refused: bool = False


def make(
    loaded: LoadedSpec,
    *,
    targets: Sequence[str] = (),
    formats: Sequence[str] = ("compose",),
    templates: Path | None = None,
    online: bool = False,
    folder: Path | None = None,
) -> Made:
    """Check a spec and render it for its engines (or ``targets`` of them) in each format.

    A spec that the engine would refuse is not rendered; one that does not fit is, with the report.
    Several engines have their artefacts in a folder each, below ``folder``. Raises UsageError for an engine or a
    format that there is not, ServespecError when facts are missing.
    """
    from servespec.api import check
    from servespec.engines import engine_names
    from servespec.memory.budget import Verdict
    from servespec.resolve import engines_of

    for engine in targets:
        if engine not in engine_names():
            raise UsageError(f"no engine is named {engine!r}; there are {', '.join(engine_names())}")
    report = check((loaded,), targets=targets, online=online)
    verdicts = [part.verdict for part in report.files[0].targets]
    text = (
        _text(report)
        if any(verdict.rank > Verdict.tight.rank for verdict in verdicts or [Verdict.invalid])
        else ""
    )
    if loaded.spec is None or Verdict.invalid in verdicts:
        return Made(report=text, is_refused=True)
    engines = tuple(targets) or engines_of(loaded.spec)
    made: list[Artefact] = []
    for engine in engines:
        prefix = f"{engine}/" if len(engines) > 1 else ""
        where = (folder or Path()) / prefix
        made += (
            replace(artefact, path=prefix + artefact.path)
            for artefact in _artefacts(loaded, loaded.spec, engine, formats, templates, online, where)
        )
    return Made(report=text, artefacts=tuple(made))


def _artefacts(
    loaded: LoadedSpec,
    spec: Spec,
    engine: str,
    formats: Sequence[str],
    templates: Path | None,
    online: bool,
    folder: Path,
) -> list[Artefact]:
    from servespec.api import resolve
    from servespec.engines import get_engine

    deployment = resolve(spec, engine, loaded.directory, online=online)
    launch = get_engine(engine).lower(deployment)
    wanted = available_formats(launch) if EVERY_FORMAT in formats else formats
    name = "standard input" if loaded.path == "-" else Path(loaded.path).name
    return [
        artefact
        for format_name in wanted
        for artefact in render(
            deployment, format_name, launch=launch, spec_file=name, templates=templates, folder=folder
        )
    ]


def _text(report: CheckReport) -> str:
    from servespec.report import write

    return write(report, "text")
