"""``servespec calibrate``: starts one after the other, resumed, limited, on several GPUs, with nothing left behind.

The engine is a script that prints what two vLLM workers print and waits; the driver is the stand-in.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from servespec.calibration import measure
from servespec.calibration.rows import read_rows
from servespec.calibration.session import Session
from servespec.cli import invoke
from servespec.hardware import visible
from servespec.hardware.nvml import NoDriverError
from tests.support.nvml_driver import MIB, Card, Driver, install

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the stand-in for the engine is a shell script"
)

GIB = 2**30
ENGINE = """\
#!/bin/sh
echo "$$" >> {pids}
echo '(Worker_TP1 pid=3) INFO 05-14 00:04:01 [x.py:1] Model loading took 7.53 GiB memory and 2.1 seconds'
echo '(Worker_TP0 pid=2) INFO 05-14 00:04:01 [x.py:1] Model loading took 7.51 GiB memory and 2.2 seconds'
echo '(Worker_TP1 pid=3) INFO 05-14 00:04:17 [x.py:1] Available KV cache memory: 61.20 GiB'
echo '(Worker_TP0 pid=2) INFO 05-14 00:04:17 [x.py:1] Available KV cache memory: 61.75 GiB'
echo '(EngineCore pid=1) INFO 05-14 00:04:18 [x.py:1] GPU KV cache size: 1,002,608 tokens'
exec sleep 60
"""
SPEC = """\
servespec: v1
name: {name}
model: {{id: meta-llama/Llama-3.1-8B-Instruct}}
hardware: {{gpu: {gpu}, count: 2}}
parallel: {{tensor: 2}}
limits: {{max_model_len: 8192}}
targets: {{vllm: {{version: 0.25.1}}}}
"""


class Machine(Driver):
    """Two H200s; a server that runs holds memory of both, more of the second, which keeps ``leaked`` for ever."""

    def __init__(self, pids: Path, leaked_mib: int = 0) -> None:
        super().__init__(cards=(Card(), Card(uuid="GPU-1f2d6c1e-0000-4000-8000-1234567890ab", used_mib=500)))
        self.pids, self.leaked_mib = pids, leaked_mib

    def nvmlDeviceGetMemoryInfo(self, handle: Card, version: int) -> SimpleNamespace:
        seen = super().nvmlDeviceGetMemoryInfo(handle, version)
        started = self.started()
        held = 70_000 if any(map(is_alive, started)) else self.leaked_mib if started else 0
        if handle is not self.cards[0]:
            seen.used += held * MIB
        return seen

    def started(self) -> list[str]:
        return self.pids.read_text().split() if self.pids.exists() else []


def is_alive(pid: str) -> bool:
    stat = Path("/proc") / pid / "stat"
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(ENGINE.format(pids=tmp_path / "pids"))
    program.chmod(0o755)
    machine = Machine(tmp_path / "pids")
    install(monkeypatch, machine)
    monkeypatch.setattr(measure, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(measure, "POLL_SECONDS", 0.05)
    return machine


def session(folder: Path, *names: str, gpu: str = "local", **options: object) -> Session:
    for name in names:
        (folder / f"{name}.yaml").write_text(SPEC.format(name=name, gpu=gpu))
    return Session(
        engine="vllm",
        specs=tuple(folder / f"{name}.yaml" for name in names),
        rows=folder / "rows.jsonl",
        engine_python=folder / "bin" / "python",
        until_allocated=True,
        **options,  # type: ignore[arg-type]
    )


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc")


@needs_proc
def test_a_row_keeps_every_gpu_and_every_rank(machine: Machine, tmp_path: Path) -> None:
    assert session(tmp_path, "a").run(lambda line: None) == []
    (row,) = read_rows(tmp_path / "rows.jsonl")
    assert row.outcome == "allocated"
    assert row.tensor_parallel == 2
    assert row.measured["kv_tokens"] == 1_002_608
    assert row.measured["kv_cache_bytes"] == round(61.20 * GIB)  # of the rank that has the least
    assert row.ranks == {
        "Worker_TP1": {"weights_bytes": round(7.53 * GIB), "kv_cache_bytes": round(61.20 * GIB)},
        "Worker_TP0": {"weights_bytes": round(7.51 * GIB), "kv_cache_bytes": round(61.75 * GIB)},
    }
    in_mib = {when: [used // MIB for used in gpus] for when, gpus in row.gpus_memory.items()}
    assert in_mib == {"before": [3, 503], "ready": [3, 70_503], "after": [3, 503]}
    assert row.gpu_memory == {when: max(used) for when, used in row.gpus_memory.items()}


@needs_proc
def test_a_run_that_was_stopped_goes_on_where_it_was(machine: Machine, tmp_path: Path) -> None:
    session(tmp_path, "a").run(lambda line: None)
    with (tmp_path / "rows.jsonl").open("a") as rows:
        rows.write('{"id": "b", "engi')  # the machine went away while this was written
    told: list[str] = []
    assert session(tmp_path, "a", "b").run(told.append) == []
    assert told[0] == "[1/2] a: measured before"
    assert [row.id for row in read_rows(tmp_path / "rows.jsonl")] == ["a", "b"]
    assert len(machine.started()) == 2


@needs_proc
def test_nothing_is_begun_after_the_time_is_used_up(machine: Machine, tmp_path: Path) -> None:
    told: list[str] = []
    assert session(tmp_path, "a", "b", stop_after_seconds=-1.0).run(told.append) == []
    assert told == [
        f"[{number}/2] {name}: left out, the time is used up" for number, name in ((1, "a"), (2, "b"))
    ]
    assert machine.started() == []
    assert not (tmp_path / "rows.jsonl").exists()


@needs_proc
def test_no_process_and_no_stand_in_checkpoint_is_left(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    session(tmp_path, "a", "b").run(lambda line: None)
    assert len(machine.started()) == 2
    assert not any(map(is_alive, machine.started()))
    assert list(scratch.iterdir()) == []


@needs_proc
def test_memory_that_a_second_gpu_does_not_get_back_is_told(machine: Machine, tmp_path: Path) -> None:
    machine.leaked_mib = 2048
    told: list[str] = []
    assert session(tmp_path, "a").run(told.append) == ["a"]
    assert "GPU 1 still holds 2.00 GiB more than before the start" in told[0]
    assert not (tmp_path / "rows.jsonl").exists()


@needs_proc
def test_a_start_that_cannot_be_tried_does_not_keep_the_others_from_it(
    machine: Machine, tmp_path: Path
) -> None:
    wanted = session(tmp_path, "a", "b")
    (tmp_path / "a.yaml").write_text("servespec: v1\nname: a\nmodel: {id: nobody/unknown}\n")
    told: list[str] = []
    assert wanted.run(told.append) == ["a"]
    assert [row.id for row in read_rows(tmp_path / "rows.jsonl")] == ["b"]


def test_without_a_driver_nothing_is_begun_and_one_line_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_driver() -> None:
        raise NoDriverError("no NVIDIA driver answers on this machine")

    monkeypatch.setattr(visible, "inventory", no_driver)
    session(tmp_path, "a", "b", gpu="local")
    monkeypatch.chdir(tmp_path)
    assert invoke(["calibrate", "a.yaml", "b.yaml", "--engine-version", "0.25.1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("servespec: error: no NVIDIA driver answers")
    assert not (tmp_path / "calibration-rows.jsonl").exists()


def test_predictions_are_written_without_a_gpu_or_an_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(tmp_path, "a", gpu="local")
    arguments = ["--predict", "--gpu", "H200-141GB", "--engine-version", "0.25.1", "-t", "vllm"]
    assert invoke(["calibrate", str(tmp_path / "a.yaml"), *arguments]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    predicted = json.loads(line)["predicted"]
    assert predicted["verdict"] == "fits"
    assert 7 * GIB < predicted["weights_bytes"] < 8 * GIB  # half of the model
