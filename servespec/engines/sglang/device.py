"""What a device has free at the moments when SGLang measures it.

Source: model_executor/model_runner.py (init_torch_distributed returns what the pool is sized from;
load_model prints free memory before and after). Figures: own start-ups of 0.5.17 on an H200 and
published logs (``avail mem`` before loading against the device's total).
"""

from __future__ import annotations

from dataclasses import dataclass

from servespec.hardware.gpu import GPU

GIB = 2**30

# H200, 0.5.17: 149,557,477,376 bytes free with a CUDA context, 139.194 GiB when the pool's share is taken.
DISTRIBUTED_BYTES = round(0.0915 * GIB)
# From there to the first weight: 139.194 to 139.095 GiB in eight start-ups; 20 MiB more with experts.
BEFORE_WEIGHTS_BYTES = round(0.099 * GIB)
EXPERTS_BYTES = 20 * 2**20
# NCCL and custom all-reduce buffers between GPUs on NVLink: H200 tp 8 (137.34, 137.55 GiB free), B200 tp 4 (176.28).
NVLINK_BYTES = round(1.55 * GIB)
# Two RTX 3090 over PCIe have 22.91 GiB free, one has 22.76.
PCIE_BYTES = round(0.1 * GIB)
# MI355X tp 8: 283.56 of 287.98 GiB free.
XGMI_BYTES = round(3.7 * GIB)

# One H100 has 78.43 to 78.81 GiB free in four logs, 24 GB cards 22.39 to 22.91, an A6000 47.24.
KNOWN_SPREAD_BYTES = round(0.02 * GIB)
SPREAD_BYTES = round(0.45 * GIB)
HOST_SPREAD = 0.25  # a host of 23.6 GiB had from 10 to 20 GiB available
SPLIT_SPREAD_BYTES = round(0.5 * GIB)


@dataclass(frozen=True, slots=True)
class Free:
    """Free bytes of the rank with the least: at the pool's reckoning and before the first weight."""

    at_start_bytes: int
    before_weights_bytes: int
    spread_bytes: int


def free_memory(gpu: GPU, reserved_bytes: int, ranks: int, has_experts: bool) -> Free:
    """What is free on one of ``ranks`` GPUs with ``reserved_bytes`` held by others.

    Of a host's memory, what else runs on it takes a part that nobody knows.
    """
    if gpu.is_cpu:
        free = max(0, gpu.total_bytes - reserved_bytes)
        return Free(free, free, round(HOST_SPREAD * gpu.total_bytes))
    taken = gpu.used_bytes + DISTRIBUTED_BYTES + reserved_bytes
    if ranks > 1:
        taken += {"nvlink": NVLINK_BYTES, "xgmi": XGMI_BYTES}.get(gpu.interconnect, PCIE_BYTES)
    start = max(0, gpu.total_bytes - taken)
    before = max(0, start - BEFORE_WEIGHTS_BYTES - (EXPERTS_BYTES if has_experts else 0))
    measured = "own runs" in gpu.source or "this machine" in gpu.source
    spread = KNOWN_SPREAD_BYTES if measured and gpu.name.startswith("H200") else SPREAD_BYTES
    return Free(start, before, gpu.total_spread_bytes + spread + (SPLIT_SPREAD_BYTES if ranks > 1 else 0))
