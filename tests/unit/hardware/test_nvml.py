"""NVML against a stand-in for the driver.

The stand-in answers what the real driver of an H200 answered (driver 580.159.04);
its calls are checked to exist in the real ``pynvml`` with the names used here.
"""

from types import SimpleNamespace

import pynvml
import pytest

from servespec.hardware import find, nvml
from servespec.hardware.cuda_driver import CudaDevice

MIB = 2**20
UUID = "0f2d6c1e-0000-4000-8000-1234567890ab"


class Driver:
    """A test double of ``pynvml`` with one H200."""

    NVMLError = pynvml.NVMLError
    nvmlMemory_v2 = pynvml.nvmlMemory_v2

    def __init__(self, used_mib: int = 0, name: str = "NVIDIA H200") -> None:
        self.used, self.name, self.is_shut_down = used_mib * MIB, name, False

    def nvmlInit(self) -> None: ...

    def nvmlShutdown(self) -> None:
        self.is_shut_down = True

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return 13000

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.159.04"

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int) -> SimpleNamespace:
        total, reserved = 150_754_820_096, 644_939_776
        return SimpleNamespace(
            total=total, reserved=reserved, used=self.used, free=total - reserved - self.used
        )

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{UUID}"

    def nvmlDeviceGetName(self, handle: int) -> str:
        return self.name

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> tuple[int, int]:
        return (9, 0)

    def nvmlDeviceGetEccMode(self, handle: int) -> list[int]:
        return [1, 1]

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:
        return [0, 0]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: int) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: int, index: int) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=4711, usedGpuMemory=self.used)] if self.used else []


def install(monkeypatch: pytest.MonkeyPatch, driver: Driver, usable: int | None = 150_109_880_320) -> None:
    for name in (name for name in dir(driver) if name.startswith("nvml")):
        monkeypatch.setattr(pynvml, name, getattr(driver, name))
    devices = () if usable is None else (CudaDevice(UUID, usable, 132),)
    monkeypatch.setattr(nvml, "cuda_devices", lambda: devices)


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
    assert find("local").used_bytes == find("H200").used_bytes + 2048 * MIB
    (shown,) = nvml.inventory().gpus
    assert shown.processes == (nvml.GPUProcess(4711, 2048 * MIB),)


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
