"""Running probes one after the other; what goes wrong in one is its own failure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from servespec.errors import UsageError
from servespec.smoke import probes as common
from servespec.smoke.client import ProbeFailed, excerpt
from servespec.smoke.probe import Evidence, Outcome, Probe, Server

if TYPE_CHECKING:
    from servespec.deployment import Deployment


SUITES = ("basic", "structured")
"""``basic`` is quick and asked of every server; ``structured`` is constrained generation, sampling and reuse."""


@dataclass(frozen=True, slots=True)
class Result:
    """A probe and what came of it."""

    probe: Probe
    evidence: Evidence


def suite_of(suite: str, deployment: Deployment, health_path: str) -> tuple[Probe, ...]:
    """The probes of one of ``SUITES``. Raises UsageError for another name."""
    from servespec.engines import get_engine

    if suite not in SUITES:
        raise UsageError(f"no suite {suite!r}; there are {', '.join(SUITES)}")
    if suite == "structured":
        return tuple(get_engine(deployment.engine).structured_probes(deployment))
    return probes_of(deployment, health_path)


def probes_of(deployment: Deployment, health_path: str) -> tuple[Probe, ...]:
    """The probes that the spec asks for: the common ones, and the engine's own, which replace those of their name."""
    from servespec.engines import get_engine

    wanted = deployment.spec.smoke
    chosen = [common.health(health_path), common.model_name(), common.completion(wanted.prompts)]
    if wanted.streaming:
        chosen.append(common.streaming())
    if wanted.structured_output:
        chosen.append(common.structured_output())
    by_name = {probe.name: probe for probe in chosen}
    by_name |= {probe.name: probe for probe in get_engine(deployment.engine).probes(deployment)}
    return tuple(by_name.values())


def run_probes(probes: Sequence[Probe], server: Server) -> tuple[Result, ...]:
    """Ask every probe, in order."""
    return tuple(Result(probe, _ask(probe, server)) for probe in probes)


def _ask(probe: Probe, server: Server) -> Evidence:
    import openai

    started = time.monotonic()
    try:
        evidence = probe.run(server)
    except ProbeFailed as failure:
        evidence = Evidence(outcome=Outcome.failed, message=str(failure))
    except openai.APIStatusError as failure:
        text = f"{failure.status_code}: {excerpt(failure.response.text)}"
        evidence = Evidence(outcome=Outcome.failed, message=text)
    except openai.OpenAIError as failure:
        evidence = Evidence(outcome=Outcome.failed, message=excerpt(str(failure)))
    return replace(evidence, seconds=time.monotonic() - started)
