"""What can be wrong with a spec: rules as small functions with a card each.

``run`` is the door: it runs the rules that a subject calls for and imports no others. ``all_cards``
and ``find_card`` serve the documentation, SARIF and ``explain``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.rules.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from servespec.diagnostics import Diagnostic
    from servespec.rules.base import Card, Rule

__all__ = ["Subject", "all_cards", "codes", "find_card", "rules_for", "run"]


def run(subject: Subject, leave_out: Iterable[str] = ()) -> list[Diagnostic]:
    """Findings of every rule that the subject's scope, engine, version and words call for.

    ``leave_out`` are codes that are not to be run. The order is that of the codes.
    """
    from servespec.rules.registry import rules_in_question

    left_out = frozenset(leave_out)
    found: list[Diagnostic] = []
    for rule in rules_in_question(subject):
        if rule.code not in left_out:
            found.extend(rule.diagnose(subject))
    return found


def rules_for(engine: str | None) -> Sequence[Rule]:
    """All rules that may be run for an engine: those of none and its own. None: those of no engine."""
    from servespec.rules.registry import rules_for

    return rules_for(engine)


def all_cards() -> Sequence[Card]:
    """Every card there is, rules and codes that the pipeline itself reports, in order of code."""
    from servespec.rules.registry import all_cards

    return all_cards()


def find_card(code: str) -> Card | None:
    """The card of a code, in any case of letters, or of a rule's name; None when there is none."""
    from servespec.rules.registry import find_card

    return find_card(code)


def codes() -> tuple[str, ...]:
    """Every code there is, without importing a single rule."""
    from servespec.rules.index import INDEX

    return tuple(entry[0] for entry in INDEX)
