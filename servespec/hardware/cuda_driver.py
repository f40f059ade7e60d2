"""Two questions to the CUDA driver library that NVML cannot answer, without making a context."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from dataclasses import dataclass

_MULTIPROCESSOR_COUNT = 16  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT in cuda.h


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """What CUDA says of one device: ``total_bytes`` is PyTorch's ``total_memory``."""

    uuid: str
    total_bytes: int
    multiprocessors: int


def cuda_devices() -> tuple[CudaDevice, ...]:
    """The devices that CUDA sees, in its own order; empty where there is no driver library."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return ()
    if library.cuInit(0) != 0:
        return ()
    count = ctypes.c_int()
    if library.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return ()
    return tuple(_device(library, index) for index in range(count.value))


def _device(library: ctypes.CDLL, index: int) -> CudaDevice:
    device, total, processors = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_int()
    uuid = (ctypes.c_ubyte * 16)()
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    library.cuDeviceGetAttribute(ctypes.byref(processors), _MULTIPROCESSOR_COUNT, device)
    # v2 tells a MIG instance's own identifier instead of its card's (cuda.h, since CUDA 11.4).
    ask = getattr(library, "cuDeviceGetUuid_v2", library.cuDeviceGetUuid)
    ask(ctypes.byref(uuid), device)
    digits = bytes(uuid).hex()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return CudaDevice("-".join(parts), total.value, processors.value)
