"""The real SGLang on CPU: started from a spec, probed, held against the prediction, stopped."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_engines import MARK, Served, marked_processes, serving, session_processes

import servespec
from servespec.engines import get_engine
from servespec.runtime import Host, StartFailed, run
from servespec.smoke import SmokeReport
from servespec.smoke.probe import Outcome
from servespec.smoke.reconcile import Agreement

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("one_engine_at_a_time")]
SpecMaker = Callable[..., Path]


@pytest.fixture(scope="module")
def served(sglang_python: Path, spec_file: SpecMaker, one_engine_at_a_time: None) -> Iterator[Served]:
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    try:
        with serving(spec_file(), "sglang", sglang_python) as started:
            del os.environ[MARK]
            assert len(session_processes(started.server)) >= 3  # the server, its scheduler, its detokenizer
            yield started
    finally:
        os.environ.pop(MARK, None)
    assert session_processes(started.server) == []
    assert marked_processes(mark) == []


@pytest.fixture(scope="module")
def report(served: Served) -> SmokeReport:
    return servespec.smoke(served.deployment, served.server.url, served.server.observed())


def test_every_probe_passes_and_none_is_skipped(report: SmokeReport) -> None:
    failed = {
        r.probe.name: r.evidence.message for r in report.results if r.evidence.outcome is not Outcome.passed
    }
    assert failed == {}
    assert {"generate", "structured output", "over-long request", "metrics"} <= {
        r.probe.name for r in report.results
    }


def test_the_predicted_pool_is_what_sglang_allocates(served: Served, report: SmokeReport) -> None:
    budget = get_engine("sglang").budget(served.deployment)
    assert served.server.observed().kv_tokens == budget.kv_tokens
    agreements = {row.name: row.agreement for row in report.comparisons}
    assert agreements["KV tokens"] is Agreement.exact
    assert agreements["KV cache"] is Agreement.exact


def test_it_is_ready_only_after_its_warm_up(served: Served) -> None:
    assert served.phases[-2:] == ["warming up", "ready"]


def test_a_model_that_is_not_there_is_a_reason_and_a_remedy(
    sglang_python: Path, spec_file: SpecMaker, tiny_weights: Path, tmp_path: Path, mark: str
) -> None:
    spec = spec_file(model={"id": str(tmp_path / "nowhere"), "config": str(tiny_weights / "config.json")})
    loaded = servespec.load(spec)
    assert loaded.spec is not None
    deployment = servespec.resolve(loaded.spec, "sglang", loaded.directory)
    with pytest.raises(StartFailed) as refused:
        run(deployment, Host(sglang_python), limit_seconds=300)
    assert "nowhere" in (refused.value.reason or "")
    assert "model.id" in (refused.value.remedy or "")
    assert marked_processes(mark) == []
