"""Rendered programs against the real engines: metrics, clients, batches, and the engine in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_engines import ROOT, Served, serving

import servespec
from servespec.deployment import Deployment
from servespec.engines.metrics import metrics_of
from servespec.render import render, write

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("one_engine_at_a_time")]
SpecMaker = Callable[..., Path]
ENGINES = ("vllm", "sglang")
SHORT = {"workload": {"input_tokens": 16, "output_tokens": 8, "requests": 4, "concurrency": 2}}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def python(engine: str, request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"{engine}_python")
    return found


@pytest.fixture(scope="module")
def served(engine: str, python: Path, spec_file: SpecMaker, one_engine_at_a_time: None) -> Iterator[Served]:
    with serving(spec_file(**SHORT), engine, python) as started:
        yield started


def fetch(url: str, body: dict[str, object] | None = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def program(deployment: Deployment, format_name: str, ending: str, folder: Path) -> Path:
    """A rendered file, where it can be run."""
    (made,) = (made for made in render(deployment, format_name) if made.path.endswith(ending))
    (path,) = write((made,), folder)
    return path


def run(
    command: list[str | Path], folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_the_server_has_every_metric_that_dashboards_and_alerts_name(served: Served, python: Path) -> None:
    # What is counted by request appears with the first one, what is between tokens with the second token: random
    # weights may end an answer after its first.
    body = {"model": "tiny", "prompt": "a", "max_tokens": 16, "ignore_eos": True, "stream": True}
    fetch(served.server.url + "/v1/completions", body)
    table = metrics_of(served.deployment.engine, served.deployment.version)
    deadline = time.monotonic() + 20  # another process of the server counts
    while True:
        text = fetch(served.server.url + "/metrics")
        exposed = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
        missing = [
            metric
            for metric in table.values()
            if metric.name + ("_bucket" if metric.kind == "histogram" else "") not in exposed
        ]
        if all(metric.late for metric in missing) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert [metric.name for metric in missing if not metric.late] == []
    for metric in missing:
        (package,) = python.parent.parent.glob(f"lib/python*/site-packages/{served.deployment.engine}")
        assert subprocess.run(["grep", "-rqF", metric.name, package], check=False).returncode == 0


def test_the_curl_client_gets_an_answer(served: Served, tmp_path: Path) -> None:
    answer = json.loads(run([program(served.deployment, "client", ".curl.sh", tmp_path)]).stdout)
    assert answer["model"] == "tiny"
    assert answer["choices"][0]["message"]["role"] == "assistant"


def test_the_openai_client_gets_an_answer_and_a_stream(served: Served, tmp_path: Path) -> None:
    done = run([sys.executable, program(served.deployment, "client", ".openai.py", tmp_path)])
    assert len(done.stdout) > 2


def test_an_engines_own_client_says_what_only_it_can(served: Served, python: Path, tmp_path: Path) -> None:
    has_own = any(made.path.endswith(".native.py") for made in render(served.deployment, "client"))
    assert has_own == (served.deployment.engine == "sglang")
    if not has_own:
        return
    done = run([python, program(served.deployment, "client", ".native.py", tmp_path)])
    lines = done.stdout.splitlines()
    assert any(line.strip() in ("yes", "no") for line in lines)
    assert any(line.count("-") == 2 and line.replace("-", "").isdigit() and len(line) == 10 for line in lines)


def test_vllms_load_generator_takes_the_rendered_command(
    served: Served, vllm_python: Path, tmp_path: Path
) -> None:
    script = program(served.deployment, "bench", ".vllm-bench.sh", tmp_path)
    done = run([script], PATH=f"{vllm_python.parent}{os.pathsep}{os.environ['PATH']}")
    figures = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert int(figures["Successful requests"]) == 4
    assert int(figures["Total generated tokens"]) == 4 * 8


def resolved(engine: str, spec: Path) -> Deployment:
    loaded = servespec.load(spec)
    assert loaded.spec is not None
    return servespec.resolve(loaded.spec, engine, loaded.directory)


def test_a_batch_answers_every_request_of_the_file(
    engine: str, python: Path, spec_file: SpecMaker, tmp_path: Path
) -> None:
    deployment = resolved(engine, spec_file(**SHORT, smoke={"prompts": ["The quick", "Every request"]}))
    (made,) = render(deployment, "batch")
    (path,) = write((made,), tmp_path)
    command: list[str | Path] = [path] if made.executable else [python, path]
    run(command, tmp_path, PATH=f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    answers = [json.loads(line) for line in (tmp_path / "tiny-cpu.answers.jsonl").read_text().splitlines()]
    assert [answer["custom_id"] for answer in answers] == ["request-1", "request-2"]
    assert not any(answer.get("error") for answer in answers)


def test_the_engine_answers_in_its_own_process(
    engine: str, python: Path, spec_file: SpecMaker, tmp_path: Path
) -> None:
    deployment = resolved(engine, spec_file(**SHORT))
    done = run([python, program(deployment, "offline", ".offline.py", tmp_path)])
    assert "'The quick brown fox': " in done.stdout
