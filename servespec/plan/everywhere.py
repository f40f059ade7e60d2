"""Errors that hold whatever the GPU and the split: found once for a checkpoint, not for each of their thousands.

A rule is a function of what it reads. It is given a deployment whose GPU and split cannot be read: what it finds all
the same, it finds in every configuration that differs in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from servespec.deployment import Setting, Settings
from servespec.diagnostics import Diagnostic, Severity
from servespec.rules.subject import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from servespec.calibration.model import Calibration
    from servespec.deployment import Deployment
    from servespec.hardware.gpu import GPU
    from servespec.memory.budget import MemoryBudget
    from servespec.spec.model import Spec

VARIED = ("hardware", "parallel", "deploy")
"""Sections of the spec that configurations differ in."""

WRITTEN = ("spec", "args")
"""Sources of a setting that a person wrote: the same on every GPU, but for keys of VARIED."""


class _LookedError(Exception):
    """Something was read that configurations differ in."""


class _Unreadable:
    """Stands for a value that configurations differ in."""

    def __getattr__(self, name: str) -> Any:
        raise _LookedError(name)

    def __eq__(self, other: object) -> bool:
        raise _LookedError

    def __hash__(self) -> int:
        raise _LookedError

    def __bool__(self) -> bool:
        raise _LookedError


class _SameSections:
    """The sections of a spec that all configurations have alike."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def __getattr__(self, name: str) -> Any:
        if name in VARIED or name not in type(self._spec).model_fields:
            raise _LookedError(name)
        return getattr(self._spec, name)


class _WrittenSettings(Mapping[str, Setting]):
    """Settings that a person wrote; a name that the version does not have is absent, all others cannot be read."""

    def __init__(self, items: Mapping[str, Setting]) -> None:
        self._items = items

    def __getitem__(self, name: str) -> Setting:
        setting = self._items[name]
        if setting.source not in WRITTEN or _is_varied(setting.key or ""):
            raise _LookedError(name)
        return setting

    def __iter__(self) -> Iterator[str]:
        raise _LookedError

    def __len__(self) -> int:
        raise _LookedError


def error_everywhere(deployment: Deployment, directory: Path) -> Diagnostic | None:
    """The first error of a rule that reads neither GPU nor split; None where no rule finds one without them."""
    from servespec.rules.registry import rules_in_question

    whole = Subject(spec=deployment.spec, deployment=deployment, directory=directory)
    words = frozenset(word for word in whole.words if not _is_varied(word) and not word.startswith("gpu:"))
    blind = _without_gpu_and_split(deployment)
    subject = Subject(
        spec=blind.spec,
        deployment=blind,
        budget=cast("MemoryBudget", _Unreadable()),
        directory=directory,
        said=words,
    )
    for rule in rules_in_question(whole):
        if rule.triggers and words.isdisjoint(rule.triggers):
            continue
        try:
            found = list(rule.diagnose(subject))
        except _LookedError:
            continue
        for finding in found:
            if finding.severity is Severity.error and finding.engine in (None, deployment.engine):
                return finding
    return None


def _is_varied(path: str) -> bool:
    return path.partition(".")[0] in VARIED


def _without_gpu_and_split(deployment: Deployment) -> Deployment:
    return replace(
        deployment,
        spec=cast("Spec", _SameSections(deployment.spec)),
        gpu=cast("GPU", _Unreadable()),
        calibration=cast("Calibration", _Unreadable()),
        settings=Settings(items=_WrittenSettings(deployment.settings.items)),
    )
