"""What was worked out before in this call, given again where a spec agrees in everything that was looked at.

The specs of a repository differ in much that a question never looks at: a name, a port, a namespace. While something
is worked out the spec is watched; another spec that has the same in every place that was read has the same answer.
Nothing has to be declared, so nothing can be forgotten. A recall lives as long as one call, so no answer outlives
the files that it rests on.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import wraps
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel

if TYPE_CHECKING:
    from servespec.spec.model import Spec, Target

T = TypeVar("T")
K = TypeVar("K")
MOST_VALUES = 256
"""Values of which :func:`by_identity` keeps the answers: more models than any call is about."""
MOST_QUESTIONS = 16
"""Sets of places kept for one subject: a branch taken otherwise reads other places."""


class Recall:
    """Answers by what they are about and by what they looked at."""

    def __init__(self) -> None:
        """Nothing is known yet; how many questions were answered in which way is counted."""
        self.worked_out = self.recalled = 0
        self._questions: dict[Hashable, dict[frozenset[str], _Question]] = {}
        self._once: dict[Hashable, object] = {}

    def once(self, about: Hashable, work: Callable[[], T]) -> T:
        """``work()``, or its answer of before: what depends on no spec at all."""
        if about not in self._once:
            self._once[about] = work()
        return cast("T", self._once[about])

    def ask(self, about: Hashable, spec: Spec, work: Callable[[Spec], T], engine: str | None = None) -> T:
        """``work(spec)``, or its answer of before. ``work`` must be a pure function of ``about`` and the spec.

        ``about`` must tell of the target of ``engine``, which ``work`` may read freely. The spec that ``work``
        is given is good for reading alone: what it returns must not hold it.
        """
        questions = self._questions.setdefault(about, {})
        asked: dict[frozenset[str], Hashable] = {}
        for places, question in questions.items():
            key = asked[places] = question.key(spec)
            if key is not None and key in question.answers:
                self.recalled += 1
                return cast("T", question.answers[key])
        self.worked_out += 1
        reads: dict[str, None] = {}
        answer = work(cast("Spec", _Watched(spec, "", reads, engine)))
        places = frozenset(reads)
        found = questions.get(places)
        if found is None:
            found = questions[places] = _Question(places)
            while len(questions) > MOST_QUESTIONS:
                del questions[next(iter(questions))]
        key = asked[places] if places in asked else found.key(spec)
        if key is not None:
            found.answers[key] = answer
        return answer


def by_identity(function: Callable[[K], T]) -> Callable[[K], T]:
    """Remember a pure function of a frozen value too large to be compared, as the facts of a model are.

    The value is held, so that its identity stays its own.
    """
    answers: dict[int, tuple[K, T]] = {}

    @wraps(function)
    def ask(value: K) -> T:
        found = answers.get(id(value))
        if found is None:
            if len(answers) == MOST_VALUES:
                answers.clear()
            found = answers[id(value)] = value, function(value)
        return found[1]

    return ask


class Same:
    """Equal to what stands for the very same object, which is held so that its identity stays its own."""

    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        """Hold it."""
        self.held = held

    def __eq__(self, other: object) -> bool:
        """Whether the other holds the same object."""
        return isinstance(other, Same) and other.held is self.held

    def __hash__(self) -> int:
        """By identity."""
        return id(self.held)


def text_of(target: Target | None) -> bytes | str:
    """All that a target says, exact to the type of each value."""
    return "" if target is None else _exactly((target.__pydantic_fields_set__, target.__dict__))


def _exactly(values: Any) -> bytes | str:
    """A key for values, exact to the type of each, as ``True``, 1 and 1.0 are one key of a dictionary.

    ``marshal`` takes a third of the time of ``repr``, but knows no class of ours (adapters, a draft model). Its version 2
    is the last that writes equal values alike, however often an object is used.
    """
    try:
        return marshal.dumps(values, 2)
    except ValueError:
        return repr(values)


class _Question:
    """The places that were read, and the answers by what stood there."""

    __slots__ = ("_get", "_targets", "answers")

    def __init__(self, places: frozenset[str]) -> None:
        self.answers: dict[Hashable, object] = {}
        simple = sorted(places - {"targets"})
        self._get = attrgetter(*simple) if simple else None
        self._targets = "targets" in places

    def key(self, spec: Spec) -> Hashable:
        """What stands at the places, exact to the type; None where a section on the way is absent."""
        try:
            values = "" if self._get is None else _exactly(self._get(spec))
        except AttributeError:
            return None
        return (values, *map(text_of, spec.targets.values()), *spec.targets) if self._targets else values


WHOLE = {
    section: dict.fromkeys((f"{section}.__dict__", f"{section}.__pydantic_fields_set__"))
    for section in ("model", "hardware", "limits", "parallel", "kv_cache", "speculative")
}
"""Sections of which nearly every key is read wherever one is: to note them whole is cheaper than key by key."""


_LEAVES = frozenset({str, int, float, bool, type(None), tuple})


class _Watched:
    """A spec or a section of it that notes what is read, by dotted paths."""

    def __init__(self, value: BaseModel, path: str, reads: dict[str, None], engine: str | None) -> None:
        self._value, self._path, self._reads, self._engine = value, path, reads, engine

    def __getattr__(self, name: str) -> Any:
        """Asked for what is not here yet: from now on what was read once is here, and noted."""
        value = getattr(self._value, name)
        place = f"{self._path}{name}" if self._path else name
        if type(value) in _LEAVES:  # most values are: asked of first, as pydantic's own test takes longer
            self._reads[place] = None
        elif isinstance(value, BaseModel):
            if place in WHOLE:
                self._reads.update(WHOLE[place])
            else:
                self._reads[f"{place}.__class__.__name__"] = None
                value = _Watched(value, f"{place}.", self._reads, self._engine)
        elif place == "targets":
            value = _WatchedTargets(value, self._reads, self._engine)
        elif callable(value):
            self._read_all()
        else:
            self._reads[place] = None
        self.__dict__[name] = value
        return value

    def _read_all(self) -> None:
        if "_all" in self.__dict__:
            return
        self._all = True
        for name in ("model_fields_set", *type(self._value).model_fields):
            value = getattr(self, name)
            if isinstance(value, _Watched):
                value._read_all()
            elif isinstance(value, _WatchedTargets):
                len(value)

    def __eq__(self, other: object) -> bool:
        self._read_all()
        if isinstance(other, _Watched):
            other._read_all()
            return self._value == other._value
        return self._value == other

    def __hash__(self) -> int:
        self._read_all()
        return hash(self._value)


class _WatchedTargets(Mapping[str, "Target"]):
    """The targets of a spec: that of the engine in question is free to read, any other counts as all of them."""

    def __init__(self, targets: Mapping[str, Target], reads: dict[str, None], engine: str | None) -> None:
        self._targets, self._reads, self._engine = targets, reads, engine

    def __getitem__(self, name: str) -> Target:
        if name != self._engine:
            self._reads["targets"] = None
        return self._targets[name]

    def __iter__(self) -> Iterator[str]:
        self._reads["targets"] = None
        return iter(self._targets)

    def __len__(self) -> int:
        self._reads["targets"] = None
        return len(self._targets)
