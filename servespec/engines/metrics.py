"""Metrics by what they tell: one table an engine (``<engine>/metrics.toml``), read when an artefact needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from servespec.rules.versions import holds

ROLES = (
    "running",
    "waiting",
    "kv_usage",
    "prompt_tokens",
    "output_tokens",
    "ttft",
    "itl",
    "e2e",
    "queue_time",
    "preemptions",
    "cached_tokens",
    "looked_up_tokens",
)
"""What a metric may tell; an engine has those that it exposes."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as ``/metrics`` spells it. ``kind``: gauge, counter, or histogram (without ``_bucket``).

    ``late``: it is not there before what it counts has happened once.
    """

    role: str
    name: str
    kind: str
    late: bool = False


@cache
def metrics_of(engine: str, version: str) -> Mapping[str, Metric]:
    """The metrics of an engine's version by role, in the order of ``ROLES``."""
    import tomllib  # not where `check` starts

    table = tomllib.loads((Path(__file__).with_name(engine) / "metrics.toml").read_text("utf-8"))
    found: dict[str, Metric] = {}
    for row in table["metric"]:
        if holds(row.get("versions", ""), version):
            found.setdefault(
                row["role"], Metric(row["role"], row["name"], row["kind"], row.get("late", False))
            )
    return {role: found[role] for role in ROLES if role in found}
