"""A pure function of a deployment, remembered by what it looked at.

Checking many specs asks for the same weights again and again: the context length differs, the model does not. What a
function read of the settings is recorded while it runs; a later deployment that agrees in just that gets the
same answer. Nothing has to be declared, so nothing can be forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Generic, TypeVar

from servespec.deployment import Setting, Settings

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.models.facts import ModelFacts
    from servespec.spec.model import Spec, Target

T = TypeVar("T")
MOST_ENTRIES = 256
MOST_ANSWERS = 16
"""Answers kept for one model, version, GPU and stage."""


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


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """An answer and what it rests on; the model is held so that its identity stays its own."""

    model: ModelFacts
    draft: ModelFacts | None
    spec: Spec
    target: Target
    reads: Mapping[str, Setting | None]
    value: T

    def holds(self, deployment: Deployment) -> bool:
        """Whether the deployment agrees in everything that was looked at."""
        items = deployment.settings.items
        if any(items.get(name) != setting for name, setting in self.reads.items()):
            return False
        old, new = self.spec, deployment.spec
        return (
            self.target == deployment.target
            and old.model == new.model
            and old.hardware == new.hardware
            and old.parallel == new.parallel
            and old.kv_cache == new.kv_cache
            and old.speculative == new.speculative
            and old.env == new.env
        )


def remembered(function: Callable[[Deployment, int], T]) -> Callable[[Deployment, int], T]:
    """Remember the last answers of a function of a deployment and a pipeline stage.

    The function must be pure, and look at nothing of ``deployment.spec`` beyond its model, hardware, parallel,
    kv_cache, speculative and env.
    """
    answers: OrderedDict[tuple[object, ...], list[_Answer[T]]] = OrderedDict()

    @wraps(function)
    def ask(deployment: Deployment, stage: int) -> T:
        key = (
            deployment.version,
            stage,
            deployment.gpu,
            id(deployment.model),
            id(deployment.draft),
        )
        for answer in answers.get(key, ()):
            if answer.holds(deployment):
                return answer.value
        watched = _Watched(deployment.settings.items)
        value = function(replace(deployment, settings=Settings(items=watched)), stage)
        found = _Answer(
            deployment.model, deployment.draft, deployment.spec, deployment.target, watched.reads, value
        )
        answers[key] = [*answers.get(key, ())[-MOST_ANSWERS + 1 :], found]
        answers.move_to_end(key)
        while len(answers) > MOST_ENTRIES:
            answers.popitem(last=False)
        return value

    return ask
