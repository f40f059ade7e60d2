"""What a spec needs and this machine lacks; the driver is a stand-in."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from servespec.api import load, resolve
from servespec.cli import invoke
from servespec.doctor import Need, State, examine
from servespec.hardware import machine as machines
from servespec.hardware.machine import Found, Machine
from servespec.hardware.nvml import inventory
from tests.support.nvml_driver import Card, Driver, install

GIB = 2**30
VLLM = Found("vllm", "0.25.1", "this Python environment")
DOCKER = Found("docker", "27.3.1", "/usr/bin/docker")
TOOLKIT = Found(
    "nvidia-container-toolkit", "NVIDIA Container Toolkit CLI version 1.17.8", "/usr/bin/nvidia-ctk"
)
SPEC = """\
servespec: v1
name: chat
model: {{id: mistralai/Mistral-7B-Instruct-v0.3}}
hardware: {{gpu: {gpu}, count: {count}}}
parallel: {{tensor: {count}}}
limits: {{max_model_len: 8192}}
server: {{host: 127.0.0.1, port: {port}}}
env: {{HF_TOKEN: "${{HF_TOKEN}}"}}
targets: {{{targets}}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spec_file(folder: Path, **changes: object) -> Path:
    given = {"gpu": "H200", "count": 1, "port": free_port(), "targets": "vllm: {version: 0.25.1}"} | changes
    path = folder / "chat.yaml"
    path.write_text(SPEC.format(**given))
    return path


def needs(
    folder: Path,
    *,
    environment: dict[str, str] | None = None,
    machine: Machine | None = None,
    **changes: object,
) -> dict[str, Need]:
    spec = load(spec_file(folder, **changes)).spec
    assert spec is not None
    engine = next(iter(spec.targets))
    own = {"HF_TOKEN": "x", "HF_HUB_CACHE": str(folder / "cache")} if environment is None else environment
    found = examine(resolve(spec, engine, folder), machine or this_machine(), own)
    return {need.name: need for need in found}


def this_machine(*, engines: Sequence[Found] = (VLLM,), runtimes: Sequence[Found] = ()) -> Machine:
    return Machine(
        inventory=inventory(),
        problem=None,
        host_bytes=64 * GIB,
        cpus=8,
        shm_bytes=32 * GIB,
        engines=tuple(engines),
        runtimes=tuple(runtimes),
    )


def test_a_machine_that_has_everything_lacks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver())
    found = needs(tmp_path)
    assert {need.state for need in found.values()} == {State.met}, found
    assert set(found) == {"driver", "GPUs", "GPU memory", "engine", "secrets", "port", "weights"}
    assert "driver 580.159.04" in found["driver"].message


@pytest.mark.parametrize(
    ("driver", "targets", "state"),
    [
        ("570.86.15", "vllm: {version: 0.25.1}", State.lacking),
        ("580.65.06", "vllm: {version: 0.25.1}", State.met),
        ("570.86.15", "vllm: {version: 0.19.0}", State.met),
        ("515.105.01", "vllm: {version: 0.19.0}", State.lacking),
        ("570.86.15", "sglang: {version: 0.5.17}", State.lacking),
        ("570.86.15", "tgi: {version: 3.3.7}", State.met),
        ("580.65.06", "tgi: {version: 2.0.4}", State.unsure),
    ],
)
def test_the_driver_has_to_be_new_enough_for_the_engine_s_cuda(
    driver: str, targets: str, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver())
    engine = targets.partition(":")[0]
    there = this_machine(engines=(Found(engine, None, "/usr/bin/x"),))
    assert there.inventory is not None
    there = replace(there, inventory=replace(there.inventory, driver_version=driver))
    found = needs(tmp_path, machine=there, targets=targets)
    assert found["driver"].state is state, found["driver"]


def test_an_old_driver_under_a_container_is_no_certain_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver())
    there = this_machine(engines=(), runtimes=(DOCKER, TOOLKIT))
    assert there.inventory is not None
    there = replace(there, inventory=replace(there.inventory, driver_version="550.54.15"))
    assert needs(tmp_path, machine=there)["driver"].state is State.unsure


def test_memory_that_other_processes_hold_is_lacking_and_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver(used_mib=100_000))
    memory = needs(tmp_path)["GPU memory"]
    assert memory.state is State.lacking
    assert "4711" in memory.message
    install(monkeypatch, Driver(used_mib=500))
    assert needs(tmp_path)["GPU memory"].state is State.met


def test_the_fullest_of_the_gpus_that_are_used_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [Card(uuid=f"GPU-{n}f2d6c1e-0000-4000-8000-1234567890ab", used_mib=n * 100_000) for n in range(2)]
    install(monkeypatch, Driver(cards=cards))
    assert needs(tmp_path, count=1)["GPU memory"].state is State.met
    assert needs(tmp_path, count=2)["GPU memory"].state is State.lacking


def test_another_gpu_or_fewer_are_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver())
    wrong = needs(tmp_path, gpu="H100-80GB")
    assert wrong["GPUs"].state is State.lacking
    assert "1 × H200-141GB" in wrong["GPUs"].message
    assert "GPU memory" not in wrong
    few = needs(tmp_path, count=2)["GPUs"]
    assert few.state is State.lacking
    assert few.message == "2 × H200-141GB are needed, this machine shows 1 × H200-141GB"


def test_reserved_memory_that_is_held_already_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver(used_mib=20 * 1024))
    path = spec_file(tmp_path)
    path.write_text(
        path.read_text()
        .replace("count: 1", "count: 1, reserved_gib: 20")
        .replace("max_model_len: 8192", "max_model_len: 8192, gpu_memory_fraction: 0.8")
    )
    spec = load(path).spec
    assert spec is not None
    found = examine(resolve(spec, "vllm", tmp_path), this_machine(), {"HF_TOKEN": "x"})
    assert next(need for need in found if need.name == "GPU memory").state is State.met


def test_without_an_engine_a_container_engine_and_its_toolkit_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver())
    neither = needs(tmp_path, machine=this_machine(engines=()))
    assert neither["engine"].state is State.lacking
    silent = Found("docker", None, "/usr/bin/docker", "Cannot connect to the Docker daemon")
    told = needs(tmp_path, machine=this_machine(engines=(), runtimes=(silent,)))["engine"]
    assert told.state is State.lacking
    assert "Cannot connect" in told.message
    bare = needs(tmp_path, machine=this_machine(engines=(), runtimes=(DOCKER,)))
    assert bare["container engine"].state is State.met
    assert bare["container toolkit"].state is State.lacking
    whole = needs(tmp_path, machine=this_machine(engines=(), runtimes=(DOCKER, TOOLKIT)))
    assert whole["container toolkit"].state is State.met


def test_another_version_of_the_engine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver())
    other = Found("vllm", "0.24.0", "this Python environment")
    engine = needs(tmp_path, machine=this_machine(engines=(other,)))["engine"]
    assert engine.state is State.unsure
    assert "0.24.0 is installed, the spec is for 0.25.1" in engine.message


def test_a_secret_that_is_not_set_is_lacking_and_its_value_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver())
    assert needs(tmp_path, environment={})["secrets"].state is State.lacking
    there = needs(tmp_path, environment={"HF_TOKEN": "hf_not_to_be_shown"})
    assert there["secrets"].state is State.met
    assert all("hf_not" not in need.message for need in there.values())


def test_a_port_that_is_taken_is_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver())
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = needs(tmp_path, port=other.getsockname()[1])["port"]
    assert port.state is State.lacking
    assert "taken by another process" in port.message


def test_the_disk_has_to_hold_what_is_not_downloaded_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver())
    usage = type("Usage", (), {"free": 10 * GIB, "total": 100 * GIB})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    lacking = needs(tmp_path)["weights"]
    assert lacking.state is State.lacking
    assert "10.0 GiB are free" in lacking.message
    blobs = tmp_path / "cache" / "models--mistralai--Mistral-7B-Instruct-v0.3" / "blobs"
    blobs.mkdir(parents=True)
    with (blobs / "part").open("wb") as sparse:
        sparse.truncate(6 * GIB)
    held = needs(tmp_path)["weights"]
    assert held.state is State.met
    assert "6.0 GiB of it there" in held.message


@pytest.mark.parametrize(
    ("there", "state"), [(64 * 2**20, State.lacking), (4 * GIB, State.unsure), (16 * GIB, State.met)]
)
def test_ranks_on_the_host_need_shared_memory(
    there: int, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [Card(uuid=f"GPU-{n}f2d6c1e-0000-4000-8000-1234567890ab") for n in range(2)]
    install(monkeypatch, Driver(cards=cards))
    found = needs(tmp_path, count=2, machine=replace(this_machine(), shm_bytes=there))
    assert found["/dev/shm"].state is state


def test_the_command_ends_with_1_where_something_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, Driver())
    monkeypatch.setattr(machines, "_engines", lambda programs: (VLLM,))
    monkeypatch.setattr(machines, "_runtimes", lambda: ())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "x")
    path = spec_file(tmp_path)
    assert invoke(["doctor", str(path)]) == 0
    assert "met      GPUs: 1 × H200-141GB" in capsys.readouterr().out
    monkeypatch.delenv("HF_TOKEN")
    assert invoke(["doctor", str(path), "--format", "json"]) == 1
    data = json.loads(capsys.readouterr().out)
    states = {need["name"]: need["state"] for need in data["needs"]["vllm"]}
    assert states["secrets"] == "lacking"
    assert states["driver"] == "met"


def test_local_gpus_without_a_driver_are_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pynvml

    def fails() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fails)
    path = spec_file(tmp_path, gpu="local")
    assert invoke(["doctor", str(path)]) == 1
    assert "lacking  GPUs: no NVIDIA driver answers" in capsys.readouterr().out


def test_a_file_that_is_no_spec_is_told_as_by_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("servespec: v1\nname: x\nmodle: {}\n")
    assert invoke(["doctor", str(path)]) == 1
    assert f"{path}:1:1: model is missing" in capsys.readouterr().err
