"""``gpu: local`` while something runs on the GPU; the driver is a stand-in."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from servespec.api import check, load, resolve
from servespec.cli import invoke
from servespec.cli._serving import deployment_of
from servespec.engines import engine_names, get_engine
from tests.support.nvml_driver import Driver, install

SPEC = """\
servespec: v1
name: local
model: {id: mistralai/Mistral-7B-Instruct-v0.3}
hardware: {gpu: local}
limits: {max_model_len: 8192}
"""
ENGINES = engine_names()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "local.yaml"
    path.write_text(SPEC)
    return path


def tokens(deployment) -> int:
    return get_engine(deployment.engine).budget(deployment).kv_tokens


@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_that_is_up_is_predicted_as_on_an_idle_gpu(
    engine: str, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver())
    idle = tokens(deployment_of(spec, engine, online=False))
    install(monkeypatch, Driver(used_mib=130_000))  # the server itself
    assert tokens(deployment_of(spec, engine, online=False, is_up=True)) == idle > 0
    held = resolve(load(spec).spec, engine, spec.parent)
    assert held.gpu.held_bytes > 0
    if engine != "vllm":  # vLLM refuses to start before it sizes anything by what is free
        assert tokens(held) < idle


@pytest.mark.parametrize("command", ["smoke", "bench"])
def test_url_means_that_the_server_is_up(
    command: str, spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def ask(deployment, *arguments, **options):
        seen.append(deployment)
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module(f"servespec.{command}"), command, ask)
    install(monkeypatch, Driver(used_mib=130_000))
    assert invoke([command, str(spec), "-t", "sglang", "--url", "http://127.0.0.1:9"]) == 130
    (deployment,) = seen
    assert deployment.gpu.held_bytes == 0
    assert tokens(deployment) > 0


def test_a_log_is_held_against_the_idle_gpu(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, Driver())
    deployment = deployment_of(spec, "sglang", online=False)
    log = tmp_path / "server.log"
    log.write_text(f"max_total_num_tokens={tokens(deployment)}, chunked_prefill_size=8192\n")
    install(monkeypatch, Driver(used_mib=130_000))
    assert invoke(["observe", str(log), "-s", str(spec), "-t", "sglang", "-f", "json"]) == 0
    rows = {row["name"]: row["agreement"] for row in json.loads(capsys.readouterr().out)["comparison"]}
    assert rows["KV tokens"] == "exact"


@pytest.mark.parametrize("engine", ENGINES)
def test_who_holds_the_gpu_is_one_finding_with_the_way_out(
    engine: str, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver(used_mib=130_000))
    (finding,) = (each for each in check(spec, targets=(engine,)).diagnostics() if each.code == "SV101")
    assert finding.message.startswith("process 4711 (python3) holds 126.95 GiB of H200-141GB: ")
    assert finding.key == "hardware.gpu"
    assert finding.fix is not None
    assert finding.fix.message.startswith("stop what holds it (kill 4711)")


def test_what_would_not_fit_an_idle_gpu_either_is_said_beside_it(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec.write_text(SPEC.replace("max_model_len: 8192", "max_model_len: 9000000"))
    install(monkeypatch, Driver(used_mib=130_000))
    messages = [each.message for each in check(spec, targets=("vllm",)).diagnostics() if each.code == "SV101"]
    assert len(messages) == 2
    assert messages[0].startswith("process 4711") != messages[1].startswith("process 4711")
    assert any("one request of 9,000,000 tokens" in message for message in messages)


def test_holders_that_the_driver_does_not_show_are_said_to_be_hidden(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(used_mib=130_000)
    driver.nvmlDeviceGetComputeRunningProcesses = lambda handle: []
    install(monkeypatch, driver)
    (finding,) = (each for each in check(spec, targets=("vllm",)).diagnostics() if each.code == "SV101")
    assert "processes that the driver does not show here hold 126.95 GiB of H200-141GB" in finding.message
