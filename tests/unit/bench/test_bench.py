"""The load that bench sends, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import json
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.api import load, resolve
from servespec.bench import bench, write
from servespec.bench.plan import Plan, arrivals, prompts
from servespec.bench.report import percentile
from servespec.errors import StartError, UsageError
from servespec.spec.model import Objectives

SPEC = """\
servespec: v1
name: bench
model: {id: Qwen/Qwen3-0.6B}
hardware: {gpu: H100-80GB}
workload: {input_tokens: 16, output_tokens: 4, concurrency: 3, requests: 9, shared_prefix_tokens: 8}
targets: {vllm: {version: 0.32.0}}
"""


class StreamingDouble(BaseHTTPRequestHandler):
    """A test double of a streaming completions endpoint: one chunk a token, usage at the end."""

    seen: list[dict[str, object]]
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append(body)
        self.send_response(self.status)
        self.end_headers()
        if self.status != 200:
            self.wfile.write(b'{"error": "no"}')
            return
        for _ in range(body["max_tokens"]):
            self.wfile.write(b'data: {"choices": [{"text": "x"}]}\n\n')
            self.wfile.flush()
        usage = {
            "prompt_tokens": len(body["prompt"]),
            "completion_tokens": body["max_tokens"],
            "prompt_tokens_details": {"cached_tokens": 8},
        }
        self.wfile.write(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def double() -> Iterator[tuple[str, type[StreamingDouble]]]:
    handler = type("Handler", (StreamingDouble,), {"seen": [], "status": 200})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    file = tmp_path / "bench.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def deployment_of(file: Path):
    loaded = load(file)
    assert loaded.spec is not None
    return resolve(loaded.spec, "vllm", loaded.directory)


def test_every_request_has_exact_lengths_and_the_shared_prefix(
    double: tuple[str, type[StreamingDouble]], spec_file: Path
) -> None:
    url, handler = double
    report = bench(deployment_of(spec_file), url)
    measured = [body for body in handler.seen if body["max_tokens"] == 4][-9:]
    assert all(len(body["prompt"]) == 16 for body in measured)  # type: ignore[arg-type]
    assert len({tuple(body["prompt"][:8]) for body in measured}) == 1  # type: ignore[index]
    assert len({tuple(body["prompt"]) for body in measured}) == 9  # type: ignore[arg-type]
    assert all(body["ignore_eos"] and body["temperature"] == 0.0 for body in measured)
    assert (report.completed, report.failed, report.output_tokens, report.input_tokens) == (9, 0, 36, 144)
    assert report.cached_tokens == 72
    assert report.passed


def test_an_objective_that_is_missed_fails_the_bench(
    double: tuple[str, type[StreamingDouble]], spec_file: Path
) -> None:
    deployment = deployment_of(spec_file)
    wanted = Objectives(output_tokens_per_second=1e9, ttft_ms=60_000)
    spec = deployment.spec.model_copy(update={"objectives": wanted})
    report = bench(replace(deployment, spec=spec), double[0])
    assert [(each.name, each.met) for each in report.objectives] == [
        ("ttft_ms p95", True),
        ("output_tokens_per_second", False),
    ]
    assert not report.passed
    assert "MISSED output_tokens_per_second" in write(report, "text")


def test_a_server_that_refuses_the_workload_is_told_before_the_bench(
    double: tuple[str, type[StreamingDouble]], spec_file: Path
) -> None:
    url, handler = double
    handler.status = 400
    with pytest.raises(StartError, match="400"):
        bench(deployment_of(spec_file), url)


def test_the_picture_is_well_formed_and_the_json_says_the_same(
    double: tuple[str, type[StreamingDouble]], spec_file: Path
) -> None:
    report = bench(deployment_of(spec_file), double[0])
    ElementTree.fromstring(write(report, "svg"))
    assert json.loads(write(report, "json"))["completed"] == report.completed


PLAN = Plan(requests=50, input_tokens=20, output_tokens=2, concurrency=4, vocabulary=1000)


def test_the_same_seed_sends_the_same_and_another_seed_something_else() -> None:
    assert list(prompts(PLAN)) == list(prompts(PLAN))
    assert list(prompts(PLAN)) != list(prompts(replace(PLAN, seed=1)))


def test_an_open_loop_arrives_at_the_rate_asked_for() -> None:
    times = list(arrivals(replace(PLAN, requests=4000, requests_per_second=20.0)))
    assert times == sorted(times)
    assert times[-1] == pytest.approx(200, rel=0.1)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_lies_between_the_extremes(values: list[float], share: float) -> None:
    assert min(values) <= percentile(values, share) <= max(values) or percentile(
        values, share
    ) == pytest.approx(max(values))


def test_percentiles_interpolate_as_numpy_does() -> None:
    assert percentile([1, 2, 3, 4], 50) == 2.5
    assert percentile([0, 10], 95) == pytest.approx(9.5)


def test_nothing_is_left_of_the_event_loop() -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_the_default_workload_is_cut_to_what_the_server_takes(
    spec_file: Path, double: tuple[str, type[StreamingDouble]]
) -> None:
    lines = [line for line in SPEC.splitlines() if not line.startswith("workload")]
    spec_file.write_text("\n".join([*lines, "limits: {max_model_len: 512}"]) + "\n", encoding="utf-8")
    url, handler = double
    report = bench(deployment_of(spec_file), url)
    assert {(len(body["prompt"]), body["max_tokens"]) for body in handler.seen} == {(384, 96), (384, 16)}  # type: ignore[arg-type]
    assert report.passed
    assert "384 in and 96 out are sent" in write(report, "text")
    assert "384 in and 96 out are sent" in json.loads(write(report, "json"))["plan"]["note"]


def test_a_workload_that_the_server_would_refuse_is_refused_before_anything_is_sent(
    spec_file: Path, double: tuple[str, type[StreamingDouble]]
) -> None:
    spec_file.write_text(SPEC + "limits: {max_model_len: 19}\n", encoding="utf-8")
    url, handler = double
    with pytest.raises(UsageError, match=r"has 20 tokens \(16 in and 4 out\), vllm takes 19 at most"):
        bench(deployment_of(spec_file), url)
    assert handler.seen == []
