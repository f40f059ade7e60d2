"""A spec on newer engines: what happens to the flags that it gives, and what else changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from servespec.engines.flag_catalogue import FlagCatalogue, load
from servespec.engines.flag_successors import keys_instead, successor
from servespec.engines.flag_values import Problem
from servespec.resolve import engines_of
from servespec.spec.loader import LoadedSpec, load_text
from servespec.upgrade.compare import SpecComparison, compare
from servespec.upgrade.rewrite import args_in, rewrite


@dataclass(frozen=True, slots=True)
class ArgChange:
    """What becomes of one entry of ``args``: ``give`` in its place where the change can be made, else None.

    ``is_needed`` tells whether the new version refuses to start without it.
    """

    engine: str
    name: str
    message: str
    is_needed: bool
    give: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """The outcome: changes of ``args``, the comparison of the spec before and after them, and the new text."""

    versions: Mapping[str, tuple[str, str]]
    changes: tuple[ArgChange, ...]
    comparison: SpecComparison
    text: str
    open_problems: tuple[ArgChange, ...] = field(default=())


def upgrade(loaded: LoadedSpec, text: str, to: Mapping[str, str], *, online: bool = False) -> Upgrade:
    """Take the spec in ``text`` (loaded) to the engine versions ``to``.

    Comments, order and quotes of the text are kept. The spec must be readable; engines of ``to`` that it has no
    target for are added to it.
    """
    spec = loaded.spec or loaded.partial
    assert spec is not None
    changes: list[ArgChange] = []
    versions: dict[str, tuple[str, str]] = {}
    for engine, asked in to.items():
        target = spec.targets.get(engine)
        old = load(engine, (target.version if target else None) or asked)
        new = load(engine, asked)
        versions[engine] = ((target.version if target else None) or old.version, asked)
        args = dict(target.args) if target else {}
        lookup = {**args, **_spec_values(spec.parallel.tensor)}
        changes += [change for name, value in args.items() if (change := _change(new, name, value, lookup))]
    own = args_in(text)
    changes = [change if (change.engine, change.name) in own else _elsewhere(change) for change in changes]
    made = {(change.engine, change.name): change.give for change in changes if change.give is not None}
    new_text = rewrite(text, to, made, () if spec.targets else engines_of(spec))
    directory: Path = loaded.directory
    after = load_text(new_text, loaded.path, directory)
    return Upgrade(
        versions=versions,
        changes=tuple(changes),
        comparison=compare(loaded, after, online=online),
        text=new_text,
        open_problems=tuple(change for change in changes if change.give is None and change.is_needed),
    )


def _elsewhere(change: ArgChange) -> ArgChange:
    message = f"{change.message} (it stands in a spec that this one extends: upgrade that one)"
    return replace(change, message=message, give=None)


def _spec_values(tensor: int) -> dict[str, Any]:
    """Values of the spec's own keys that the place of a flag may depend on, by the engines' words."""
    return {"tp_size": tensor, "tensor_parallel_size": tensor}


def _change(new: FlagCatalogue, name: str, value: Any, others: Mapping[str, Any]) -> ArgChange | None:
    problem = new.check(name, value)
    if problem is None:
        return None
    give = _given(new, name, value, others, problem)
    message = problem.message
    if problem.code == "unknown-key" and give:
        message = f"{message.partition(';')[0]}; give {json.dumps(give[name])}"
    return ArgChange(new.engine, name, message, problem.is_error, give)


def _given(
    new: FlagCatalogue, name: str, value: Any, others: Mapping[str, Any], problem: Problem
) -> dict[str, Any] | None:
    """What to write instead, None where that needs a person."""
    if problem.code in ("unknown-flag", "deprecated-flag", "refused-flag"):
        instead = successor(new, name)
        if instead is None:
            return None
        values = instead.values(value, others) if value is not False else {}
        if values is None or any(_is_refused(new, flag, item) for flag, item in values.items()):
            return None
        return values
    if problem.code == "unknown-key" and isinstance(value, Mapping):
        found = keys_instead(new, name, value)
        if found is None or _is_refused(new, name, found):
            return None
        return {name: found} if found else {}
    if problem.code == "bad-json" and problem.suggestion:
        return {name: json.loads(problem.suggestion)}
    return None


def _is_refused(new: FlagCatalogue, flag: str, value: Any) -> bool:
    problem = new.check(flag, value)
    return problem is not None and problem.is_error
