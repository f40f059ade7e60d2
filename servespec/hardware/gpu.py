"""What a GPU is to servespec: a row of the catalogue, or what NVML says of the local machine."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class GPUProcess:
    """One process that holds memory of a GPU; None for what the driver does not tell."""

    pid: int
    used_bytes: int | None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GPU:
    """One accelerator, as engines see it.

    ``total_bytes`` is what the engine calls the device's total (CUDA's ``total_memory``, ROCm's
    likewise), which is less than the name says; 0 where it is unknown (the host's memory behind
    ``cpu``). ``driver_total_bytes`` is what nvidia-smi prints as the total, which some engines
    size themselves by; 0 where the driver prints none (unified memory, MIG). ``used_bytes`` is what
    the driver and the CUDA context hold before anything is allocated, and ``held_bytes``, the part of it that
    ``processes`` of this machine hold now (a catalogue's GPU is idle). ``kind`` is ``cuda``, ``rocm`` or ``cpu``.
    ``compute_capability`` is (9, 0) for an H100; None where there is none.
    """

    name: str
    kind: str
    total_bytes: int
    total_spread_bytes: int = 0
    used_bytes: int = 0
    held_bytes: int = 0
    driver_total_bytes: int = 0
    compute_capability: tuple[int, int] | None = None
    architecture: str = ""
    bandwidth_bytes_per_second: float = 0.0
    bf16_flops: float = 0.0
    fp16_flops: float = 0.0
    fp8_flops: float = 0.0
    fp4_flops: float = 0.0
    int8_flops: float = 0.0
    interconnect: str = "pcie"
    interconnect_bytes_per_second: float = 0.0
    unified_memory: bool = False
    multiprocessors: int = 0
    processes: tuple[GPUProcess, ...] = ()
    aliases: tuple[str, ...] = ()
    source: str = ""

    @property
    def is_cpu(self) -> bool:
        """Whether the engine runs on the host's processor."""
        return self.kind == "cpu"

    def idle(self) -> GPU:
        """The same GPU with nothing running on it."""
        return replace(self, used_bytes=self.used_bytes - self.held_bytes, held_bytes=0, processes=())
