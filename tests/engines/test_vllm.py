"""The real vLLM on CPU: started from a spec, probed, held against the prediction, refused, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from real_engines import MARK, Served, marked_processes, serving

import servespec
from servespec.engines import get_engine
from servespec.runtime import Host, StartFailed, run
from servespec.runtime.readiness import is_port_taken
from servespec.smoke import SmokeReport
from servespec.smoke.probe import Outcome
from servespec.smoke.reconcile import Agreement

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("one_engine_at_a_time")]
SpecMaker = Callable[..., Path]
SERVESPEC = (sys.executable, "-m", "servespec")


@pytest.fixture(scope="module")
def served(vllm_python: Path, spec_file: SpecMaker, one_engine_at_a_time: None) -> Iterator[Served]:
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    try:
        with serving(spec_file(), "vllm", vllm_python) as started:
            del os.environ[MARK]
            assert len(marked_processes(mark)) >= 2  # the server and its engine core
            yield started
    finally:
        os.environ.pop(MARK, None)
    assert marked_processes(mark) == []


@pytest.fixture(scope="module")
def report(served: Served) -> SmokeReport:
    return servespec.smoke(served.deployment, served.server.url, served.server.observed())


def test_every_probe_passes_and_none_is_skipped(report: SmokeReport) -> None:
    failed = {
        r.probe.name: r.evidence.message for r in report.results if r.evidence.outcome is not Outcome.passed
    }
    assert failed == {}
    assert {r.probe.name for r in report.results} == {
        "health",
        "model",
        "completion",
        "streaming",
        "structured output",
        "over-long request",
        "metrics",
    }


def test_the_predicted_kv_tokens_are_what_vllm_prints(served: Served) -> None:
    printed = served.server.observed()
    budget = get_engine("vllm").budget(served.deployment)
    assert printed.kv_tokens == budget.kv_tokens == 2_097_152
    assert printed.max_concurrency == budget.max_concurrency


def test_every_figure_that_vllm_gives_is_exactly_as_predicted(report: SmokeReport) -> None:
    assert {row.name: row.agreement for row in report.comparisons} == dict.fromkeys(
        ("KV cache", "KV tokens", "KV blocks", "concurrency", "max_model_len"), Agreement.exact
    )


def test_the_phases_of_a_start_are_told_in_order(served: Served) -> None:
    known = ["reading the configuration", "starting the engine", "loading weights", "allocating the KV cache"]
    assert [phase for phase in served.phases if phase in known] == known
    assert served.phases[-1] == "ready"


def test_a_server_that_is_up_is_probed_by_url(served: Served, tmp_path: Path) -> None:
    command = (*SERVESPEC, "smoke", str(served.spec), "-t", "vllm", "--url", served.server.url)
    as_json = subprocess.run((*command, "-f", "json"), capture_output=True, text=True, check=True)
    assert json.loads(as_json.stdout)["passed"] is True
    junit = tmp_path / "smoke.xml"
    subprocess.run((*command, "-f", "junit", "-o", str(junit)), capture_output=True, check=True)
    assert ElementTree.parse(junit).getroot().get("failures") == "0"


def test_a_probe_that_fails_is_an_exit_code(served: Served, spec_file: SpecMaker) -> None:
    other_name = spec_file(server={"served_model_name": "another"})
    command = (*SERVESPEC, "smoke", str(other_name), "-t", "vllm", "--url", served.server.url)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "another is not among the models served" in " ".join(done.stdout.replace("│", " ").split())


def test_the_log_of_the_start_is_observed(served: Served, tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_text("\n".join(served.server.log()))
    command = (*SERVESPEC, "observe", str(log), "--spec", str(served.spec), "-t", "vllm", "--format", "json")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = {row["name"]: row for row in json.loads(done.stdout)["comparison"]}
    assert rows["KV tokens"]["agreement"] == "exact"


def test_a_context_that_does_not_fit_is_refused_by_both_with_the_same_longest_context(
    vllm_python: Path, spec_file: SpecMaker, mark: str
) -> None:
    longest = 4_194_304
    vllm = {"args": {"hf_overrides": {"max_position_embeddings": longest}}}
    spec = spec_file(limits={"max_model_len": longest}, targets={"vllm": vllm})
    loaded = servespec.load(spec)
    assert loaded.spec is not None
    deployment = servespec.resolve(loaded.spec, "vllm", loaded.directory)
    budget = get_engine("vllm").budget(deployment)
    assert budget.verdict == "does_not_fit"
    with pytest.raises(StartFailed) as refused:
        run(deployment, Host(vllm_python), limit_seconds=300)
    assert "To serve at least one request" in (refused.value.reason or "")
    assert f"estimated maximum model length is {budget.estimated_max_model_len}" in (
        refused.value.reason or ""
    )
    assert "limits.max_model_len" in (refused.value.remedy or "")
    assert refused.value.exit_code_of_server == 1
    assert marked_processes(mark) == []


def test_ctrl_c_stops_the_server_and_leaves_no_process(
    vllm_python: Path, spec_file: SpecMaker, mark: str
) -> None:
    spec = spec_file()
    command = (*SERVESPEC, "run", str(spec), "-t", "vllm", "--engine-python", str(vllm_python))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "is ready after" in line:
                break
        else:
            pytest.fail("the server did not become ready")
        assert len(marked_processes(mark)) >= 3
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert marked_processes(mark) == []


def test_ctrl_c_while_it_starts_leaves_no_process(vllm_python: Path, spec_file: SpecMaker, mark: str) -> None:
    spec = spec_file()
    loaded = servespec.load(spec)
    assert loaded.spec is not None
    launch = get_engine("vllm").lower(servespec.resolve(loaded.spec, "vllm", loaded.directory))
    command = (*SERVESPEC, "run", str(spec), "-t", "vllm", "--engine-python", str(vllm_python))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "reading the configuration" in line)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert marked_processes(mark) == []
    assert not is_port_taken(launch)
