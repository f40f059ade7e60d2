"""The bench against the real vLLM, and against vLLM's own load generator on the same server in the same run."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from real_engines import Served, serving

import servespec
from servespec.bench import BenchReport, bench
from servespec.bench.drive import run_plan
from servespec.bench.plan import Plan, plan_of
from servespec.bench.report import summarise
from servespec.smoke.probe import Server
from servespec.spec.model import Workload

pytestmark = pytest.mark.engine
SpecMaker = Callable[..., Path]
WORKLOAD = {"input_tokens": 128, "output_tokens": 16, "requests": 12, "concurrency": 4}
PAIRS, MOST_PAIRS = 6, 30
"""Of runs that are compared at first, and where those do not settle it: few ratios tell little of their own scatter."""
LARGER = {"num_hidden_layers": 24, "hidden_size": 1024, "intermediate_size": 2048}
"""Steps of the tiny model take less than what sends and reads it on the same cores; these take tens of milliseconds."""
TOLERANCE = 0.05
BUSY = 0.10
"""A standard error of the median ratio above which the machine tells nothing about a tolerance of 5 %."""
WARM_UP, FRESH = 1_000, 2_000
"""Seeds of prompts that no other run has sent."""
RUNNER = Path(__file__).with_name("vllm_bench.py")
Figures = dict[str, float]


@pytest.fixture(scope="module")
def served(vllm_python: Path, spec_file: SpecMaker, one_engine_at_a_time: None) -> Iterator[Served]:
    limits = {"max_model_len": 512, "max_concurrent_requests": 8}
    vllm = {
        "args": {"enable_prompt_tokens_details": True, "load_format": "dummy", "hf_overrides": LARGER},
        "env": {
            "OMP_NUM_THREADS": "1"
        },  # threads that wait for one another make a busy machine's noise larger
    }
    spec = spec_file(workload=WORKLOAD, limits=limits, targets={"vllm": vllm})
    with serving(spec, "vllm", vllm_python) as started:
        yield started


def plan(served: Served, seed: int = 0, **changes: int) -> Plan:
    workload = served.deployment.spec.workload
    assert isinstance(workload, Workload)
    return replace(plan_of(workload, served.deployment.model.vocab_size, seed), **changes)  # type: ignore[arg-type]


def run(served: Served, wanted: Plan) -> BenchReport:
    server = Server(url=served.server.url, model="tiny", max_model_len=None, timeout_seconds=120)
    timings, seconds = run_plan(wanted, server)
    return summarise(served.deployment, served.server.url, wanted, timings, seconds)


@contextmanager
def vllm_bench(url: str, wanted: Plan, tokenizer: str, python: Path) -> Iterator[Callable[[int], Figures]]:
    """``vllm bench serve`` of a workload: a call with a seed is a run."""
    options = {
        "backend": "openai",
        "base-url": url,
        "model": "tiny",
        "tokenizer": tokenizer,
        "dataset-name": "random",
        "random-input-len": wanted.input_tokens,
        "random-output-len": wanted.output_tokens,
        "num-prompts": wanted.requests,
        "max-concurrency": wanted.concurrency,
        "num-warmups": 4,
        "temperature": 0,
        "percentile-metrics": "ttft,tpot,itl,e2el",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [str(python), str(RUNNER), *words, "--ignore-eos", "--disable-tqdm"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = process.stdout

        def one(seed: int) -> Figures:
            assert process.stdin is not None
            process.stdin.write(f"{seed}\n")
            process.stdin.flush()
            found = next((line for line in lines if line.startswith("RESULT ")), "")
            assert found, "vllm bench serve ended"
            figures: Figures = json.loads(found.removeprefix("RESULT "))
            return figures

        assert next((line for line in lines if line.startswith("READY")), "")
        yield one
        process.stdin.close()
        process.wait(timeout=60)


def figures_of(report: BenchReport) -> Figures:
    """By the names of ``vllm bench serve``; means, so that the tools' percentiles do not matter."""
    assert report.ttft_ms
    assert report.itl_ms
    assert report.tpot_ms
    assert report.e2e_ms
    return {
        "output_throughput": report.output_tokens_per_second,
        "mean_ttft_ms": report.ttft_ms.mean,
        "mean_itl_ms": report.itl_ms.mean,
        "mean_tpot_ms": report.tpot_ms.mean,
        "mean_e2el_ms": report.e2e_ms.mean,
    }


def standard_error(ratios: list[float]) -> float:
    """Of the median of values that are normal but for outliers: 1.2533 σ ÷ √n, σ from the median deviation."""
    middle = statistics.median(ratios)
    sigma = 1.4826 * statistics.median(abs(ratio - middle) for ratio in ratios)
    return 1.2533 * sigma / math.sqrt(len(ratios))


class Paced(BaseHTTPRequestHandler):
    """A test double of a server that is never late: a token's time is set, and none is the same as another."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        return

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        begun = time.perf_counter()
        if self.path != "/v1/completions":  # vLLM's generator asks for /tokenize, and can do without
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        tokens = body["max_tokens"]
        for number in range(tokens):
            time.sleep(max(0.0, begun + FIRST_SECONDS + number * NEXT_SECONDS - time.perf_counter()))
            self.say({"choices": [{"index": 0, "text": "x", "finish_reason": None}]})
        prompt = body["prompt"]
        given = PACED["input_tokens"] if isinstance(prompt, str) else len(prompt)
        self.say({"choices": [], "usage": {"prompt_tokens": given, "completion_tokens": tokens}})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def say(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()


FIRST_SECONDS, NEXT_SECONDS = 0.5, 0.1
PACED = {"input_tokens": 16, "output_tokens": 8, "requests": 8, "concurrency": 4}


def test_every_figure_is_defined_as_vllm_bench_serve_defines_it(
    vllm_python: Path, tiny_weights: Path, spec_file: SpecMaker
) -> None:
    """Against a double with set times, where the figures of both are known: no noise hides a definition."""
    loaded = servespec.load(spec_file(workload=PACED))
    assert loaded.spec is not None
    deployment = servespec.resolve(loaded.spec, "vllm", loaded.directory)
    with ThreadingHTTPServer(("127.0.0.1", 0), Paced) as double:
        threading.Thread(target=double.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{double.server_port}"
        wanted = plan_of(Workload.model_validate(PACED), deployment.model.vocab_size)
        with vllm_bench(url, wanted, str(tiny_weights), vllm_python) as theirs:
            other = theirs(0)
        mine = figures_of(bench(deployment, url))
        double.shutdown()
    last = (PACED["output_tokens"] - 1) * NEXT_SECONDS
    known = {
        "mean_ttft_ms": 1000 * FIRST_SECONDS,
        "mean_itl_ms": 1000 * NEXT_SECONDS,
        "mean_tpot_ms": 1000 * NEXT_SECONDS,
        "mean_e2el_ms": 1000 * (FIRST_SECONDS + last),
        "output_throughput": PACED["output_tokens"] * PACED["concurrency"] / (FIRST_SECONDS + last),
    }
    assert mine == pytest.approx(known, rel=TOLERANCE)
    assert {name: other[name] for name in known} == pytest.approx(mine, rel=TOLERANCE)


def test_the_figures_are_those_of_vllm_bench_serve(served: Served, vllm_python: Path) -> None:
    """Short runs take turns, and the two of a pair change places: what else the machine does falls on both.

    The median of the pairs' ratios is within 5 %, or no further beyond it than twice its standard error; pairs are
    added until it is, or until there are many.
    """
    ratios: dict[str, list[float]] = {}
    tokenizer = served.deployment.spec.model.id
    with vllm_bench(served.server.url, plan(served), tokenizer, vllm_python) as theirs:
        theirs(WARM_UP)
        run(served, plan(served, WARM_UP))
        for seed in range(MOST_PAIRS):
            if seed % 2:
                other, mine = theirs(seed), run(served, plan(served, seed))
            else:
                mine, other = run(served, plan(served, seed)), theirs(seed)
            assert mine.failed == 0
            assert other["completed"] == mine.completed == WORKLOAD["requests"]
            assert other["total_output_tokens"] == mine.output_tokens
            for name, value in figures_of(mine).items():
                ratios.setdefault(name, []).append(value / other[name])
            medians = {name: statistics.median(found) for name, found in ratios.items()}
            errors = {name: standard_error(found) for name, found in ratios.items()}
            apart = [name for name in medians if abs(medians[name] - 1) > max(TOLERANCE, 2 * errors[name])]
            if seed + 1 >= PAIRS and seed % 2 and not apart:
                break
    told = ", ".join(f"{name} {medians[name]:.3f} ± {errors[name]:.3f}" for name in medians)
    print(f"\nservespec bench ÷ vllm bench serve, median of {seed + 1} pairs: {told}")
    if errors["output_throughput"] > BUSY:
        pytest.skip(f"the machine is too busy to compare: {told}")
    assert not apart, told


def test_a_shared_prefix_comes_from_the_cache(served: Served) -> None:
    block = 128  # of vLLM on CPU
    shared = run(served, plan(served, FRESH, requests=8, input_tokens=2 * block, shared_prefix_tokens=block))
    alone = run(served, plan(served, FRESH + 1, requests=8, input_tokens=2 * block))
    assert alone.cached_tokens == 0
    assert shared.cached_tokens is not None
    assert shared.cached_tokens % block == 0
    assert 0 < shared.cached_tokens <= 7 * block  # the first one has to be read


def test_the_bench_reports_on_a_server_that_is_up(served: Served) -> None:
    report = bench(served.deployment, served.server.url)
    assert report.passed
    assert report.output_tokens == WORKLOAD["requests"] * WORKLOAD["output_tokens"]
    assert report.input_tokens == WORKLOAD["requests"] * WORKLOAD["input_tokens"]
