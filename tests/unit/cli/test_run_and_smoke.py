"""``servespec run`` and ``smoke`` from the command line, with a test double where vLLM's program would be."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from servespec.cli import invoke

ROOT = Path(__file__).parents[3]
DOUBLE = ROOT / "tests" / "doubles" / "openai_server.py"
EXAMPLE = ROOT / "examples" / "tiny-cpu.yaml"
SERVESPEC = (sys.executable, "-m", "servespec")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "base.yaml").write_text(EXAMPLE.read_text())
    model = {
        "id": str(ROOT / "examples" / "tiny-llama"),
        "config": str(ROOT / "examples/tiny-llama/config.json"),
    }
    overlay = {"servespec": "v1", "extends": "./base.yaml", "model": model, "server": {"port": port}}
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(overlay))
    return path


def engine(folder: Path, *more: str) -> str:
    """An environment whose ``vllm`` is the double; returns its Python."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    script = (
        "#!/bin/sh\n"
        'while [ "$1" != --port ]; do shift; done\n'
        f'exec {shlex.join((sys.executable, str(DOUBLE)))} "$2" {shlex.join(more)}\n'
    )
    (programs / "vllm").write_text(script)
    (programs / "vllm").chmod(0o755)
    return str(programs / "python")


def smoke(spec: Path, python: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = (*SERVESPEC, "smoke", str(spec), "-t", "vllm", "--engine-python", python, *more)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_smoke_starts_probes_compares_and_stops(spec: Path, tmp_path: Path) -> None:
    done = smoke(spec, engine(tmp_path), "--format", "json")
    report = json.loads(done.stdout)
    failed = [probe["name"] for probe in report["probes"] if probe["outcome"] == "failed"]
    assert failed == ["metrics"]  # the double has vLLM's cache configuration, not all of its metrics
    assert done.returncode == 1
    rows = {row["name"]: row["agreement"] for row in report["reconciliation"]}
    assert rows["KV tokens"] == "exact"
    assert "is ready after" in done.stderr


def test_smoke_writes_junit_to_a_file(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.xml"
    smoke(spec, engine(tmp_path), "--format", "junit", "-o", str(out))
    assert ElementTree.parse(out).getroot().get("tests") == "7"


def test_run_follows_the_server_until_it_is_interrupted(spec: Path, tmp_path: Path) -> None:
    python = engine(tmp_path, "--say", "a line of the log")
    log = tmp_path / "server.log"
    command = (*SERVESPEC, "run", str(spec), "-t", "vllm", "--engine-python", python, "--log", str(log))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "is ready after" in line)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "vllm is stopped" in said
    assert "a line of the log" in log.read_text()


def test_a_start_that_fails_exits_with_1_and_the_reason(spec: Path, tmp_path: Path) -> None:
    python = engine(tmp_path, "--say", "ValueError: No available memory for the cache blocks.", "--exit", "1")
    done = smoke(spec, python)
    assert done.returncode == 1
    assert "reason: ValueError: No available memory for the cache blocks." in done.stderr
    assert "change: limits.gpu_memory_fraction" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_spec_for_several_engines_needs_a_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", str(EXAMPLE)]) == 2
    assert "name one with --target" in capsys.readouterr().err


def test_a_spec_that_the_check_refuses_is_not_started(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(spec.read_text())
    document["limits"] = {"max_model_len": 4_000_000_000}
    spec.write_text(json.dumps(document))
    assert invoke(["run", str(spec), "-t", "vllm"]) == 1
    err = capsys.readouterr().err
    assert "the check refuses it" in err
    assert "--force" in err
    assert "SV101 error" in err
    assert "info" not in err


def test_what_force_cannot_start_is_not_said_to_start_with_it(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(spec.read_text())
    document["hardware"] = {"gpu": "H1000"}
    spec.write_text(json.dumps(document))
    assert invoke(["run", str(spec), "-t", "vllm"]) == 1
    err = capsys.readouterr().err
    assert "no GPU named 'H1000'" in err
    assert "--force" not in err


def test_an_engine_that_is_not_installed_is_said_to_be_missing(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert invoke(["run", str(spec), "-t", "vllm"]) == 1
    assert "--engine-python" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["smoke", str(EXAMPLE), "-t", "vllm", "--format", "xml"], "'xml' is none of text, json, junit"),
        (["run", str(EXAMPLE), "-t", "vllm", "--compose", "lxc"], "none of auto, docker, podman"),
        (["run", str(EXAMPLE), "-t", "vllm", "--compose", "podman", "--engine-python", "x"], "name one"),
        (["run", str(EXAMPLE), "-t", "nothing"], "'nothing' is none of"),
        (["run", "nowhere.yaml", "-t", "vllm"], "nowhere.yaml"),
    ],
)
def test_what_makes_no_sense_is_said_so(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(arguments) in (1, 2)
    assert said in capsys.readouterr().err
