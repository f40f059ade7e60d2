"""An environment of its own for each rival, made once and kept in the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.accuracy.rivals import Rival


class InstallError(Exception):
    """A rival could not be installed; the message says why."""


def environment(rival: Rival) -> Path:
    """The Python of the rival's environment, made where it is missing. Raises InstallError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "servespec" / "rivals" / f"{rival.name}-{rival.version}"
    python = folder / "bin" / "python"
    done = folder / ".installed"
    if done.exists():
        return python
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries=1",
            rival.requirement,
        ],
    ):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
            raise InstallError((lines or [result.stderr[-300:]])[-1])
    done.touch()
    return python
