"""What NVML says of the GPUs of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from servespec.errors import MissingExtraError, ServespecError, UnknownGPUError
from servespec.hardware.catalogue import named
from servespec.hardware.cuda_driver import CudaDevice, cuda_devices
from servespec.hardware.gpu import GPU, GPUProcess


class NoDriverError(ServespecError):
    """``hardware.gpu: local`` was asked where no NVIDIA driver answers, or shows no GPU."""


class TooFewGPUsError(ServespecError):
    """``hardware.gpu: local`` with a ``count`` that this machine does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalGPU:
    """One GPU, or one MIG instance, of this machine.

    ``total_bytes``, ``free_bytes``, ``used_bytes`` and ``reserved_bytes`` (kept by the driver, ECC
    pages among it) are NVML's own (nvmlMemory_v2_t, where used does not contain reserved): what nvidia-smi
    prints in whole MiB. ``usable_bytes`` is the total that CUDA and so the engines see, None where the CUDA
    driver library does not show the device; ``cuda_index`` is its number there, None likewise.
    """

    index: int
    name: str
    uuid: str
    total_bytes: int
    free_bytes: int
    used_bytes: int
    reserved_bytes: int
    usable_bytes: int | None
    compute_capability: tuple[int, int]
    multiprocessors: int
    ecc: bool | None
    is_mig_instance: bool
    mig_enabled: bool
    processes: tuple[GPUProcess, ...]
    cuda_index: int | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """The driver and the GPUs that it shows."""

    driver_version: str
    cuda_version: str
    gpus: tuple[LocalGPU, ...]


def inventory() -> Inventory:
    """Every NVIDIA GPU of this machine; MIG instances stand beside the card that they are cut from.

    Raises NoDriverError, and MissingExtraError where ``nvidia-ml-py`` is not installed.
    """
    with _nvml() as nvml:
        version = nvml.nvmlSystemGetCudaDriverVersion_v2()
        found: list[LocalGPU] = []
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            found.append(_read(nvml, handle, index))
            found += [_read(nvml, each, index) for each in _mig_handles(nvml, handle)]
        driver_version = _text(nvml.nvmlSystemGetDriverVersion())
    # CUDA is asked last: a process that has initialised it holds some MiB of each GPU itself (3 on an H200).
    by_uuid = {device.uuid: (number, device) for number, device in enumerate(cuda_devices())}
    return Inventory(
        driver_version=driver_version,
        cuda_version=f"{version // 1000}.{version % 1000 // 10}",
        gpus=tuple(_with_cuda(gpu, by_uuid) for gpu in found),
    )


def as_catalogue_row(local: LocalGPU) -> GPU:
    """A GPU of this machine as a row like the catalogue's."""
    try:
        known = named(local.name)
    except UnknownGPUError:
        known = GPU(name=local.name, kind="cuda", total_bytes=0, used_bytes=round(0.5 * 2**30))
    return replace(
        known,
        total_bytes=local.usable_bytes or local.total_bytes - local.reserved_bytes,
        total_spread_bytes=0 if local.usable_bytes else known.total_spread_bytes,
        used_bytes=known.used_bytes + local.used_bytes,
        held_bytes=local.used_bytes,
        processes=local.processes,
        driver_total_bytes=0 if local.is_mig_instance else local.total_bytes,
        compute_capability=local.compute_capability,
        multiprocessors=local.multiprocessors or known.multiprocessors,
        source="NVML and the CUDA driver of this machine",
    )


@contextmanager
def _nvml() -> Iterator[Any]:
    try:
        import pynvml  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("nvidia-ml-py", "gpu") from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NoDriverError(f"no NVIDIA driver answers on this machine ({error})") from error
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _with_cuda(gpu: LocalGPU, by_uuid: Mapping[str, tuple[int, CudaDevice]]) -> LocalGPU:
    found = by_uuid.get(gpu.uuid.removeprefix("GPU-").removeprefix("MIG-"))
    if found is None:
        return gpu
    number, cuda = found
    return replace(
        gpu, usable_bytes=cuda.total_bytes, multiprocessors=cuda.multiprocessors, cuda_index=number
    )


def _read(nvml: Any, handle: Any, index: int) -> LocalGPU:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    uuid = _text(nvml.nvmlDeviceGetUUID(handle))
    is_mig = uuid.startswith("MIG-")
    capability = _optional(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle) or (0, 0)
    ecc = _optional(nvml, nvml.nvmlDeviceGetEccMode, handle)
    mig_mode = None if is_mig else _optional(nvml, nvml.nvmlDeviceGetMigMode, handle)
    running = _optional(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()
    return LocalGPU(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        uuid=uuid,
        total_bytes=memory.total,
        free_bytes=memory.free,
        used_bytes=memory.used,
        reserved_bytes=memory.reserved,
        usable_bytes=None,
        compute_capability=(capability[0], capability[1]),
        multiprocessors=0,
        ecc=None if ecc is None else bool(ecc[0]),
        is_mig_instance=is_mig,
        mig_enabled=bool(mig_mode and mig_mode[0]),
        processes=tuple(
            GPUProcess(each.pid, each.usedGpuMemory, _process_name(nvml, each.pid)) for each in running
        ),
    )


def _process_name(nvml: Any, pid: int) -> str | None:
    """The program of a process; None where the driver does not tell, as of processes outside of a container."""
    name = _optional(nvml, nvml.nvmlSystemGetProcessName, pid)
    return PurePath(_text(name)).name or None if name else None


def _mig_handles(nvml: Any, handle: Any) -> Iterator[Any]:
    for index in range(_optional(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        instance = _optional(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
        if instance is not None:
            yield instance


def _optional(nvml: Any, ask: Any, *arguments: Any) -> Any:
    """The answer, or None from a card or driver that does not have that question."""
    try:
        return ask(*arguments)
    except nvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
