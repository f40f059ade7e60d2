"""Rules that hold for sglang alone."""

from __future__ import annotations

from servespec.rules.base import Rule


def __getattr__(name: str) -> tuple[Rule, ...]:
    if name != "RULES":
        raise AttributeError(name)
    from servespec.rules import rules_for

    return tuple(rule for rule in rules_for("sglang") if rule.engine == "sglang")
