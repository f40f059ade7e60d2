"""The structured suite on the real engines: constrained answers, prefix reuse, sampling, tools, vectors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_engines import Served, serving

import servespec
from servespec.smoke import SmokeReport
from servespec.smoke.probe import Outcome
from servespec.smoke.structured import DESCRIPTIONS

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("one_engine_at_a_time")]
SpecMaker = Callable[..., Path]
# A parser without a format of its own: the call is then JSON held to the tool's schema, whatever the model is.
PARSER = {"tool_call_parser": "pythonic"}
CHANGES: dict[str, dict[str, object]] = {
    "vllm": {"targets": {"vllm": {"args": {**PARSER, "enable_auto_tool_choice": True}}}},
    "sglang": {"targets": {"sglang": {"args": PARSER}}},
}
SKIPPED = {"vllm": {"embeddings"}, "sglang": {"embeddings", "choice"}}


@pytest.fixture(scope="module", params=list(CHANGES))
def served(
    request: pytest.FixtureRequest, spec_file: SpecMaker, one_engine_at_a_time: None
) -> Iterator[Served]:
    engine = str(request.param)
    python: Path = request.getfixturevalue(f"{engine}_python")
    with serving(spec_file(**CHANGES[engine]), engine, python) as started:
        yield started


def test_a_server_that_embeds_gives_vectors_and_says_why_it_gives_no_text(
    vllm_python: Path, spec_file: SpecMaker
) -> None:
    # First in the file: the servers of the other tests are not up yet.
    args = {"runner": "pooling", "convert": "embed"}
    with serving(spec_file(targets={"vllm": {"args": args}}), "vllm", vllm_python) as started:
        report = servespec.smoke(started.deployment, started.server.url, suite="structured")
    outcomes = {r.probe.name: r.evidence.outcome for r in report.results}
    assert outcomes.pop("embeddings") is Outcome.passed
    assert set(outcomes.values()) == {Outcome.skipped}


@pytest.fixture(scope="module")
def report(served: Served) -> SmokeReport:
    return servespec.smoke(served.deployment, served.server.url, served.server.observed(), suite="structured")


def test_every_probe_passes_but_those_that_the_engine_cannot(served: Served, report: SmokeReport) -> None:
    seen = {r.probe.name: r.evidence for r in report.results}
    assert tuple(seen) == tuple(DESCRIPTIONS)
    unlike = {
        name: evidence.message
        for name, evidence in seen.items()
        if (evidence.outcome is Outcome.skipped) != (name in SKIPPED[served.deployment.engine])
        or evidence.outcome is Outcome.failed
    }
    assert unlike == {}
    assert all(
        len(evidence.message) > 10 for evidence in seen.values() if evidence.outcome is Outcome.skipped
    )


def test_a_prompt_that_is_asked_again_comes_from_the_cache(report: SmokeReport) -> None:
    (seen,) = (r.evidence.details for r in report.results if r.probe.name == "prefix reuse")
    prompt, cached = seen["prompt_tokens"], seen["cached_tokens"]
    assert isinstance(prompt, int)
    assert isinstance(cached, int)
    assert seen["cached_tokens_at_first"] == 0
    assert prompt // 2 < cached < prompt


def test_the_suite_is_run_by_the_command(served: Served) -> None:
    command = [sys.executable, "-m", "servespec", "smoke", str(served.spec), "-t", served.deployment.engine]
    command += ["--url", served.server.url, "--suite", "structured", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert [probe["name"] for probe in answer["probes"]] == list(DESCRIPTIONS)
    assert answer["passed"] is True
