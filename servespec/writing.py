"""Files written whole or not at all, the one way in which servespec writes over a path that a person names."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def is_special(path: Path) -> bool:
    """Whether there is a device, a pipe or a socket at the path: what has no content to keep or to replace."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_atomically(path: Path, text: str, mode: int | None = None) -> None:
    """Write UTF-8 text as it is, whole or not at all. Raises OSError.

    A link stays one and its target is written; a device or a pipe (/dev/stdout) is written to and
    never replaced. ``mode`` are the new file's permissions, by default those of the file before it.
    """
    if is_special(path):
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
        return
    path = path.resolve()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(_permissions(path) if mode is None else mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _permissions(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
