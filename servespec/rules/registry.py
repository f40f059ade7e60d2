"""Rules by code, engine and trigger, imported when they are in question and not before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from servespec.rules.base import Card, Rule
from servespec.rules.index import INDEX
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.rules.subject import Subject

_Candidate = tuple[frozenset[str], str, str]


def rules_in_question(subject: Subject) -> Sequence[Rule]:
    """Rules of the subject's scope, engine and version, of whose triggers it says at least one."""
    deployment = subject.deployment
    if deployment is None:
        return _in_question("spec", None, "", subject.words)
    return _in_question("target", deployment.engine, subject.version, subject.words)


@lru_cache(maxsize=256)
def _in_question(scope: str, engine: str | None, version: str, said: frozenset[str]) -> tuple[Rule, ...]:
    """Once for all specs that set the same keys."""
    return tuple(
        cast("Rule", _load(module, attribute))
        for triggers, module, attribute in _candidates(scope, engine, version)
        if not triggers or not triggers.isdisjoint(said)
    )


@lru_cache(maxsize=1024)
def _candidates(scope: str, engine: str | None, version: str) -> tuple[_Candidate, ...]:
    return tuple(
        (frozenset(triggers), module, attribute)
        for _, _, module, attribute, of_scope, of_engine, versions, triggers in INDEX
        if of_scope == scope
        and (of_engine is None or of_engine == engine)
        and (of_engine is None or holds(versions, version))
    )


@cache
def _load(module: str, attribute: str) -> Card:
    found = getattr(import_module(module), attribute)
    if isinstance(found, Card):
        return found
    raise TypeError(f"{module}.{attribute} is no card: run scripts/rules.py")


def rules_for(engine: str | None) -> Sequence[Rule]:
    """All rules that may be run for an engine: those of none and its own. None: those of no engine."""
    return tuple(
        cast("Rule", _load(module, attribute))
        for _, _, module, attribute, scope, of_engine, _, _ in INDEX
        if scope in ("spec", "target") and of_engine in (None, engine)
    )


def all_cards() -> Sequence[Card]:
    """Every card there is, in order of code."""
    return tuple(_load(module, attribute) for _, _, module, attribute, *_ in INDEX)


def find_card(code: str) -> Card | None:
    """The card of a code or a rule's name; None when there is none."""
    wanted = code.strip().lower()
    for known, name, module, attribute, *_ in INDEX:
        if wanted in (known.lower(), name):
            return _load(module, attribute)
    return None
