"""The test double of TGI is held to TGI's own contract, and servespec's probes pass against it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import servespec
from servespec.deployment import Deployment
from servespec.engines import get_engine
from servespec.smoke.probe import Outcome

ROOT = Path(__file__).parents[3]
LAUNCHER = ROOT / "tests" / "doubles" / "tgi" / "launcher.py"
CLEAN = {"PATH": os.environ["PATH"], "HOME": "/"}


@dataclass
class Double:
    url: str
    port: int
    process: subprocess.Popen[str]


def launch(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A launch that is expected to be refused."""
    command = (sys.executable, str(LAUNCHER), *words)
    return subprocess.run(
        command, env=CLEAN | variables, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = (
        "--model-id",
        "tiny",
        "--port",
        str(port),
        "--max-total-tokens",
        "512",
        "--max-input-tokens",
        "500",
    )
    with subprocess.Popen(
        (sys.executable, str(LAUNCHER), *flags),
        env=CLEAN,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield Double(f"http://127.0.0.1:{port}", port, process)
        process.terminate()


@pytest.fixture(scope="module")
def log(double: Double) -> str:
    lines = []
    assert double.process.stdout is not None
    for line in double.process.stdout:
        lines.append(line)
        if "Connected" in line:
            return "".join(lines)
    pytest.fail("".join(lines))


def test_its_log_reads_as_a_tgi_that_is_ready(log: str) -> None:
    observed = get_engine("tgi").observe(log, "3.3.7")
    assert observed.ready
    assert observed.kv_tokens == 2048
    assert observed.refusal is None


def deployment_of(tmp_path: Path) -> Deployment:
    path = tmp_path / "tgi.yaml"
    overlay = {
        "servespec": "v1",
        "name": "tiny",
        "model": {"id": "tiny", "config": str(ROOT / "examples" / "tiny-llama" / "config.json")},
        "hardware": {"gpu": "L4"},
        "limits": {"max_model_len": 512},
        "targets": {"tgi": {"version": "3.3.7"}},
    }
    path.write_text(json.dumps(overlay))
    loaded = servespec.load(path)
    assert loaded.spec is not None, loaded.diagnostics
    return servespec.resolve(loaded.spec, "tgi", loaded.directory)


def test_every_probe_of_tgi_passes(double: Double, log: str, tmp_path: Path) -> None:
    report = servespec.smoke(deployment_of(tmp_path), double.url)
    outcomes = {r.probe.name: (r.evidence.outcome, r.evidence.message) for r in report.results}
    assert [one for one in outcomes.items() if one[1][0] is not Outcome.passed] == []
    assert {
        "generate",
        "generate_stream",
        "completion",
        "over-long request",
        "structured output",
        "metrics",
    } <= set(outcomes)


def test_the_structured_suite_asks_what_tgi_takes_and_says_what_it_cannot(
    double: Double, log: str, tmp_path: Path
) -> None:
    report = servespec.smoke(deployment_of(tmp_path), double.url, suite="structured")
    outcomes = {r.probe.name: (r.evidence.outcome, r.evidence.message) for r in report.results}
    assert [one for one in outcomes.items() if one[1][0] is Outcome.failed] == []
    assert {name for name, (outcome, _) in outcomes.items() if outcome is Outcome.passed} == {
        "regex",
        "json schema",
        "parallel sampling",
        "tool calls",
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", {"inputs": ""}),
        ("/generate", {"inputs": "x " * 501}),
        ("/generate", {"inputs": "x", "parameters": {"max_new_tokens": 512}}),
        ("/generate", {"parameters": {}}),
        ("/generate_stream", {"inputs": "x " * 501}),
        ("/v1/chat/completions", {"messages": "x"}),
        ("/v1/completions", {"prompt": "x " * 501}),
    ],
)
def test_what_tgi_refuses_is_422_of_its_error_type(double: Double, log: str, path: str, body: object) -> None:
    answer = httpx.post(double.url + path, json=body, trust_env=False)
    assert answer.status_code == 422
    assert answer.json()["error_type"] == "validation"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--no-such-flag",), "unexpected argument '--no-such-flag' found"),
        (("--quantize", "int3"), "invalid value 'int3' for '--quantize <QUANTIZE>'"),
        (("--port",), "a value is required for '--port <PORT>'"),
        (
            ("--max-input-tokens", "9", "--max-total-tokens", "9"),
            "`max_input_tokens`(9) must be < `max_total_tokens`",
        ),
        (("--max-total-tokens", "9", "--max-batch-total-tokens", "8"), "`max_total_tokens` must be <="),
    ],
)
def test_its_launcher_refuses_what_tgis_does(words: tuple[str, ...], said: str) -> None:
    done = launch(*words)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    observed = get_engine("tgi").observe(done.stderr, None)
    assert observed.refusal_kind in ("unknown_flag", "invalid_setting") or "required" in said


def test_its_launcher_knows_the_variables_of_the_reference_alone() -> None:
    assert "knows no variable MODEL_NAME" in launch(MODEL_NAME="x").stderr
    assert "invalid value 'int3'" in launch(QUANTIZE="int3").stderr


def test_every_flag_of_the_reference_is_read() -> None:
    headings = sum(
        line.startswith("## ") for line in (ROOT / "tests/data/tgi/launcher.md").read_text().splitlines()
    )
    sys.path.insert(0, str(LAUNCHER.parent))
    try:
        from launcher_contract import read_options  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(LAUNCHER.parent))
    assert len(read_options(ROOT / "tests/data/tgi/launcher.md")) == headings
