"""A stand-in for the NVIDIA driver: a test double of ``pynvml`` with one H200, or the cards that it is given.

It answers what the real driver of an H200 answered (driver 580.159.04).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pynvml
import pytest

from servespec.hardware import nvml
from servespec.hardware.cuda_driver import CudaDevice

MIB = 2**20
CUDA_BYTES = 3 * MIB  # what a process holds of a GPU once it has initialised CUDA
UUID = "0f2d6c1e-0000-4000-8000-1234567890ab"


@dataclass(kw_only=True)
class Card:
    """One card, or one MIG instance of a card; sizes are those of an H200 but where given."""

    name: str = "NVIDIA H200"
    uuid: str = f"GPU-{UUID}"
    used_mib: int = 0
    total_bytes: int = 150_754_820_096
    reserved_bytes: int = 644_939_776
    instances: "tuple[Card, ...]" = ()

    @property
    def usable_bytes(self) -> int:
        """What CUDA says."""
        return self.total_bytes - self.reserved_bytes


class Driver:
    """A test double of ``pynvml`` with one H200."""

    NVMLError = pynvml.NVMLError
    nvmlMemory_v2 = pynvml.nvmlMemory_v2

    def __init__(self, used_mib: int = 0, name: str = "NVIDIA H200", cards: Sequence[Card] = ()) -> None:
        self.cards = tuple(cards) or (Card(name=name, used_mib=used_mib),)
        self.is_shut_down = False
        self.cuda_is_initialised = False

    def nvmlInit(self) -> None: ...

    def nvmlShutdown(self) -> None:
        self.is_shut_down = True

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return 13000

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.159.04"

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        return self.cards[index]

    def nvmlDeviceGetMemoryInfo(self, handle: Card, version: int) -> SimpleNamespace:
        total, reserved = handle.total_bytes, handle.reserved_bytes
        used = handle.used_mib * MIB + (CUDA_BYTES if self.cuda_is_initialised else 0)
        return SimpleNamespace(total=total, reserved=reserved, used=used, free=total - reserved - used)

    def nvmlDeviceGetUUID(self, handle: Card) -> str:
        return handle.uuid

    def nvmlDeviceGetName(self, handle: Card) -> str:
        return handle.name

    def nvmlDeviceGetCudaComputeCapability(self, handle: Card) -> tuple[int, int]:
        return (9, 0)

    def nvmlDeviceGetEccMode(self, handle: Card) -> list[int]:
        return [1, 1]

    def nvmlDeviceGetMigMode(self, handle: Card) -> list[int]:
        return [int(bool(handle.instances))] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Card) -> int:
        if not handle.instances:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Card, index: int) -> Card:
        if index >= len(handle.instances):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return handle.instances[index]

    def nvmlSystemGetProcessName(self, pid: int) -> str:
        return "/opt/engine/bin/python3"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Card) -> list[SimpleNamespace]:
        used = handle.used_mib * MIB
        return [SimpleNamespace(pid=4711, usedGpuMemory=used)] if used else []


def install(
    monkeypatch: pytest.MonkeyPatch,
    driver: Driver,
    usable: int | None = 150_109_880_320,
    order: Sequence[Card] | None = None,
) -> None:
    """Put the driver in the place of the real one; CUDA shows ``order``, or all cards, none where ``usable`` is None."""
    for name in (name for name in dir(driver) if name.startswith("nvml")):
        monkeypatch.setattr(pynvml, name, getattr(driver, name))
    shown = () if usable is None else driver.cards if order is None else order
    devices = tuple(
        CudaDevice(card.uuid.removeprefix("GPU-").removeprefix("MIG-"), card.usable_bytes, 132)
        for card in shown
    )

    def cuda_devices() -> tuple[CudaDevice, ...]:
        driver.cuda_is_initialised = True
        return devices

    monkeypatch.setattr(nvml, "cuda_devices", cuda_devices)
