"""What a GPU is: the catalogue, NVML for the local machine, and the host's processor.

``find`` is the one way in: any spelling of a catalogue name, ``local`` or ``cpu``.
"""

from __future__ import annotations

from servespec.hardware.gpu import GPU

__all__ = ["GPU", "find"]


def find(name: str, memory_gib: float | None = None, *, count: int = 1, devices: str | None = None) -> GPU:
    """The GPU that a spec's ``hardware.gpu`` means, with ``hardware.memory_gib`` (GiB) if given.

    Of this machine's (``local``) it is the one with the least free memory of the ``count`` that a server with
    ``devices`` for its CUDA_VISIBLE_DEVICES would use. Raises UnknownGPUError for a name that the catalogue does not
    have, and where ``local`` is asked NoDriverError when no driver answers and TooFewGPUsError when it shows fewer.
    """
    wanted = name.strip().lower()
    if wanted == "cpu":
        from servespec.hardware.cpu import cpu

        return cpu(memory_gib)
    from servespec.hardware.catalogue import named, with_memory

    if wanted == "local":
        from servespec.hardware.visible import local_gpu

        gpu = local_gpu(count, devices)
    else:
        gpu = named(name)
    return gpu if memory_gib is None else with_memory(gpu, memory_gib)
