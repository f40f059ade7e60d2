"""A stand-in for the NVIDIA driver: a test double of ``pynvml`` with one H200.

It answers what the real driver of an H200 answered (driver 580.159.04).
"""

from types import SimpleNamespace

import pynvml
import pytest

from servespec.hardware import nvml
from servespec.hardware.cuda_driver import CudaDevice

MIB = 2**20
CUDA_BYTES = 3 * MIB  # what a process holds of a GPU once it has initialised CUDA
UUID = "0f2d6c1e-0000-4000-8000-1234567890ab"


class Driver:
    """A test double of ``pynvml`` with one H200."""

    NVMLError = pynvml.NVMLError
    nvmlMemory_v2 = pynvml.nvmlMemory_v2

    def __init__(self, used_mib: int = 0, name: str = "NVIDIA H200") -> None:
        self.used, self.name, self.is_shut_down = used_mib * MIB, name, False
        self.cuda_is_initialised = False

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
        used = self.used + (CUDA_BYTES if self.cuda_is_initialised else 0)
        return SimpleNamespace(total=total, reserved=reserved, used=used, free=total - reserved - used)

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

    def nvmlSystemGetProcessName(self, pid: int) -> str:
        return "/opt/engine/bin/python3"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=4711, usedGpuMemory=self.used)] if self.used else []


def install(monkeypatch: pytest.MonkeyPatch, driver: Driver, usable: int | None = 150_109_880_320) -> None:
    for name in (name for name in dir(driver) if name.startswith("nvml")):
        monkeypatch.setattr(pynvml, name, getattr(driver, name))
    devices = () if usable is None else (CudaDevice(UUID, usable, 132),)

    def cuda_devices() -> tuple[CudaDevice, ...]:
        driver.cuda_is_initialised = True
        return devices

    monkeypatch.setattr(nvml, "cuda_devices", cuda_devices)
