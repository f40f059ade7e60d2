"""The host's processor as a device: engines for CPU keep their KV cache in its memory."""

from __future__ import annotations

from pathlib import Path

from servespec.hardware.gpu import GPU


def cpu(memory_gib: float | None = None) -> GPU:
    """The host as a device.

    Its memory is 0, for unknown, unless the spec says it: what is checked here may run elsewhere,
    and a check must not depend on the machine that it runs on.
    """
    return GPU(
        name="cpu",
        kind="cpu",
        total_bytes=0 if memory_gib is None else round(memory_gib * 2**30),
        architecture="cpu",
        interconnect="none",
        unified_memory=True,
        source="the host; hardware.memory_gib says how much memory it has",
    )


def host_memory_bytes() -> int:
    """Memory of this host, or of the control group around this process when that is less.

    Returns 0 where neither can be read (not Linux).
    """
    found = [size for size in (_meminfo(), _cgroup_limit()) if size]
    return min(found, default=0)


def _meminfo() -> int:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _cgroup_limit() -> int:
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
