"""A pure function of a deployment, remembered by what it looked at.

Checking many specs asks for the same weights again and again: the context length differs, the model does not. What a
function read of the settings and of the GPU is recorded while it runs; a later deployment that agrees in just that gets
the same answer. Nothing has to be declared, so nothing can be forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from servespec.deployment import Setting, Settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from servespec.deployment import Deployment
    from servespec.hardware.gpu import GPU
    from servespec.models.facts import ModelFacts
    from servespec.spec.model import Spec, Target

T = TypeVar("T")
MOST_ENTRIES = 1024
MOST_ANSWERS = 16
"""Answers kept for one model, version, split and stage."""


class _Watched(Mapping[str, Setting]):
    """Settings that tell which of them were asked for; all of them once they were counted or listed."""

    def __init__(self, items: Mapping[str, Setting]) -> None:
        self._items = items
        self.reads: dict[str, Setting | None] = {}

    def __getitem__(self, name: str) -> Setting:
        self.reads[name] = self._items.get(name)
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self.reads.update(self._items)
        return iter(self._items)

    def __len__(self) -> int:
        self.reads.update(self._items)
        return len(self._items)


class _WatchedGPU:
    """A GPU that tells what was asked of it; all of it once it is compared."""

    def __init__(self, gpu: GPU) -> None:
        self._gpu = gpu
        self.reads: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        self.reads[name] = value = getattr(self._gpu, name)
        return value

    def __eq__(self, other: object) -> bool:
        self._read_all()
        return self._gpu == (other._gpu if isinstance(other, _WatchedGPU) else other)

    def __hash__(self) -> int:
        self._read_all()
        return hash(self._gpu)

    def _read_all(self) -> None:
        self.reads.update((field.name, getattr(self._gpu, field.name)) for field in fields(self._gpu))


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """An answer and what it rests on; the model is held so that its identity stays its own."""

    model: ModelFacts
    draft: ModelFacts | None
    spec: Spec
    target: Target
    reads: Mapping[str, Setting | None]
    gpu_reads: Mapping[str, Any]
    value: T

    def holds(self, deployment: Deployment) -> bool:
        """Whether the deployment agrees in everything that was looked at."""
        items, gpu = deployment.settings.items, deployment.gpu
        for name, setting in self.reads.items():
            if items.get(name) != setting:
                return False
        for name, value in self.gpu_reads.items():
            if getattr(gpu, name) != value:
                return False
        old, new = self.spec, deployment.spec
        return (
            _alike(self.target, deployment.target)
            and _alike(old.model, new.model)
            and _alike(old.kv_cache, new.kv_cache)
            and old.speculative == new.speculative
            and old.env == new.env
        )


def _alike(one: BaseModel, other: BaseModel) -> bool:
    """As sections of one class are compared by pydantic, without what it looks for besides their fields."""
    return one is other or vars(one) == vars(other)


def remembered(function: Callable[[Deployment, int], T]) -> Callable[[Deployment, int], T]:
    """Remember the last answers of a function of a deployment and a pipeline stage.

    The function must be pure, and look at nothing of ``deployment.spec`` beyond its model, kv_cache, speculative and env:
    the split is in the settings.
    """
    answers: OrderedDict[tuple[object, ...], list[_Answer[T]]] = OrderedDict()

    @wraps(function)
    def ask(deployment: Deployment, stage: int) -> T:
        key = (
            deployment.version,
            stage,
            deployment.spec.parallel.tensor,
            deployment.spec.parallel.pipeline,
            id(deployment.model),
            id(deployment.draft),
        )
        for answer in answers.get(key, ()):
            if answer.holds(deployment):
                return answer.value
        watched = _Watched(deployment.settings.items)
        gpu = _WatchedGPU(deployment.gpu)
        seen = replace(deployment, settings=Settings(items=watched), gpu=cast("GPU", gpu))
        value = function(seen, stage)
        found = _Answer(
            model=deployment.model,
            draft=deployment.draft,
            spec=deployment.spec,
            target=deployment.target,
            reads=watched.reads,
            gpu_reads=gpu.reads,
            value=value,
        )
        answers[key] = [*answers.get(key, ())[-MOST_ANSWERS + 1 :], found]
        answers.move_to_end(key)
        while len(answers) > MOST_ENTRIES:
            answers.popitem(last=False)
        return value

    return ask
