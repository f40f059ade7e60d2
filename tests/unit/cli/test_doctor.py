import json
from pathlib import Path

import pynvml
import pytest

from servespec.cli import invoke
from tests.support.nvml_driver import Driver, install

ROOT = Path(__file__).parents[3]


def test_a_gpu_is_shown_in_the_driver_s_own_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, Driver(used_mib=2048))
    assert invoke(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "NVIDIA H200, compute capability 9.0, ECC on" in out
    assert "143,771 MiB total, 2,048 MiB used" in out
    assert "143,156 MiB seen by engines, as in the catalogue" in out
    assert "process 4711 (python3) holds 2,048 MiB" in out


def test_an_idle_gpu_has_the_figures_that_nvidia_smi_printed_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (ROOT / "docs" / "evidence" / "h200-nvidia-smi.txt").read_text().splitlines()
    (row,) = (line for line in lines if line.startswith("NVIDIA H200,"))
    total, reserved, used, free = (f"{int(cell.removesuffix(' MiB')):,} MiB" for cell in row.split(", ")[1:5])
    install(monkeypatch, Driver())
    assert invoke(["doctor"]) == 0
    assert f"{total} total, {used} used, {free} free, {reserved} reserved" in capsys.readouterr().out


def test_programs_get_the_same_as_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, Driver())
    assert invoke(["doctor", "--format", "json"]) == 0
    machine = json.loads(capsys.readouterr().out)
    (gpu,) = machine["inventory"]["gpus"]
    assert gpu["catalogue_name"] == "H200-141GB"
    assert abs(gpu["catalogue_difference_bytes"]) < 2**20
    assert machine["problem"] is None


def test_a_machine_without_a_driver_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fails)
    assert invoke(["doctor"]) == 0
    assert "none: no NVIDIA driver answers on this machine" in capsys.readouterr().out
