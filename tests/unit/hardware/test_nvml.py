"""NVML against a stand-in for the driver, whose calls are checked to be those of the real ``pynvml``."""

import pynvml
import pytest

from servespec.hardware import find, nvml
from servespec.hardware.gpu import GPUProcess
from tests.support.nvml_driver import MIB, Driver, install


def test_every_call_of_the_stand_in_is_one_of_the_real_library() -> None:
    assert all(hasattr(pynvml, name) for name in dir(Driver) if name.startswith("nvml"))


def test_local_means_the_first_gpu_with_the_total_that_cuda_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    install(monkeypatch, driver)
    gpu = find("local")
    assert gpu.name == "H200-141GB"
    assert gpu.total_bytes == 150_109_880_320
    assert gpu.driver_total_bytes == 150_754_820_096
    assert gpu.bf16_flops == find("H200").bf16_flops
    assert driver.is_shut_down


def test_without_the_cuda_library_the_driver_s_reserve_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver(), usable=None)
    gpu = find("local")
    assert gpu.total_bytes == 150_109_880_320
    assert gpu.total_spread_bytes > 0


def test_what_other_processes_hold_counts_as_used(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver(used_mib=2048))
    gpu = find("local")
    assert gpu.used_bytes == find("H200").used_bytes + 2048 * MIB
    assert gpu.processes == (GPUProcess(4711, 2048 * MIB, "python3"),)
    assert gpu.idle().used_bytes == find("H200").used_bytes
    assert gpu.idle().processes == ()


def test_what_asking_cuda_takes_itself_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    install(monkeypatch, driver)
    (shown,) = nvml.inventory().gpus
    assert shown.used_bytes == 0
    assert shown.usable_bytes == 150_109_880_320
    assert driver.cuda_is_initialised


def test_a_process_that_the_driver_cannot_name_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(pid: int) -> str:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    driver = Driver(used_mib=2048)
    driver.nvmlSystemGetProcessName = fails
    install(monkeypatch, driver)
    assert find("local").processes == (GPUProcess(4711, 2048 * MIB, None),)


def test_the_inventory_says_what_the_driver_says(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver())
    seen = nvml.inventory()
    assert (seen.driver_version, seen.cuda_version) == ("580.159.04", "13.0")
    (gpu,) = seen.gpus
    assert gpu.ecc is True
    assert not gpu.mig_enabled
    assert gpu.total_bytes - gpu.free_bytes == gpu.reserved_bytes


def test_a_card_that_the_catalogue_does_not_have_is_still_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver(name="NVIDIA Quux 9000"))
    gpu = find("local")
    assert gpu.name == "NVIDIA Quux 9000"
    assert gpu.total_bytes == 150_109_880_320
    assert gpu.bf16_flops == 0


def test_no_driver_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fails)
    with pytest.raises(nvml.NoDriverError, match=r"no NVIDIA driver answers.*hardware\.gpu"):
        find("local")
