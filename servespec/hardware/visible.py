"""Which of this machine's GPUs a server would run on, and which of them decides what fits."""

from __future__ import annotations

from collections.abc import Sequence

from servespec.hardware.gpu import GPU
from servespec.hardware.nvml import (
    Inventory,
    LocalGPU,
    NoDriverError,
    TooFewGPUsError,
    as_catalogue_row,
    inventory,
)

ADVICE = "write hardware.gpu: <name> instead of local (`servespec gpus` lists them)"


def local_gpu(count: int = 1, devices: str | None = None) -> GPU:
    """The GPU of this machine that decides what fits, as a row like the catalogue's.

    A server on several GPUs gives all of them as much KV cache as the fullest or smallest has room for, so of the
    ``count`` GPUs that it would use, the one with the least free memory is taken. ``devices`` is the
    CUDA_VISIBLE_DEVICES that the server is given. Total memory, compute capability and what others hold are
    measured; FLOP/s and bandwidth come from the catalogue's row of that name, and are 0 where there is none.
    Raises NoDriverError and TooFewGPUsError.
    """
    return as_catalogue_row(min(server_gpus(count, devices), key=_free_bytes))


def server_gpus(count: int = 1, devices: str | None = None) -> tuple[LocalGPU, ...]:
    """The GPUs that a server with ``count`` ranks on this machine would use, its first rank's first.

    Raises NoDriverError where there is no driver, and TooFewGPUsError for fewer GPUs than that.
    """
    try:
        found = visible(inventory(), devices)
    except NoDriverError as error:
        raise NoDriverError(f"{error}: {ADVICE}") from error
    if not found:
        raise NoDriverError(f"the NVIDIA driver shows no usable GPU: {ADVICE}")
    if len(found) < count:
        there = "one GPU is" if len(found) == 1 else f"{len(found)} GPUs are"
        raise TooFewGPUsError(
            f"hardware.count asks for {count} local GPUs and {there} to be used on this machine: "
            f"lower hardware.count and the splits under parallel, or {ADVICE}"
        )
    return found[:count]


def visible(seen: Inventory, devices: str | None = None) -> tuple[LocalGPU, ...]:
    """The GPUs that CUDA would show a process, in CUDA's order; cards that MIG has split are none.

    ``devices`` is read as CUDA reads CUDA_VISIBLE_DEVICES: indices, or beginnings of UUIDs, and the first word that
    names no GPU ends the list. Without it, this process's own variable holds.
    """
    if devices is None:
        numbered = [gpu for gpu in seen.gpus if gpu.cuda_index is not None]
        return tuple(sorted(numbered, key=_cuda_index)) or tuple(
            gpu for gpu in seen.gpus if not gpu.mig_enabled
        )
    every = [gpu for gpu in seen.gpus if not gpu.mig_enabled]
    if all(gpu.cuda_index is not None for gpu in every):
        every.sort(key=_cuda_index)
    chosen: list[LocalGPU] = []
    for word in (word.strip() for word in devices.split(",")):
        gpu = _named(word, every)
        if gpu is None or gpu in chosen:
            break
        chosen.append(gpu)
    return tuple(chosen)


def _named(word: str, gpus: Sequence[LocalGPU]) -> LocalGPU | None:
    if word.isdigit():
        cards = [gpu for gpu in gpus if not gpu.is_mig_instance]
        return cards[int(word)] if int(word) < len(cards) else None
    matching = [gpu for gpu in gpus if word.startswith(("GPU-", "MIG-")) and gpu.uuid.startswith(word)]
    return matching[0] if len(matching) == 1 else None


def _cuda_index(gpu: LocalGPU) -> int:
    return -1 if gpu.cuda_index is None else gpu.cuda_index


def _free_bytes(gpu: LocalGPU) -> int:
    return (gpu.usable_bytes or gpu.total_bytes - gpu.reserved_bytes) - gpu.used_bytes
