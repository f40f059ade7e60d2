"""Finding the configuration file that holds for a folder; cheap, because most projects have none."""

# Asked of every folder above every spec: Path would take three times as long.
# ruff: noqa: PTH100, PTH110, PTH113, PTH118, PTH120

from __future__ import annotations

import os

NAMES = ("servespec.toml", "pyproject.toml")


def candidate(directory: str) -> str | None:
    """The nearest configuration file of a folder, or of one above it up to the repository's root."""
    current = os.path.abspath(directory)  # resolve() would leave a linked folder
    while True:
        for name in NAMES:
            path = os.path.join(current, name)
            if os.path.isfile(path) and (name != "pyproject.toml" or _mentions(path)):
                return path
        parent = os.path.dirname(current)
        if parent == current or os.path.exists(os.path.join(current, ".git")):
            return None
        current = parent


def _mentions(path: str) -> bool:
    from servespec.spec.source import MAX_SOURCE_BYTES, read_regular

    try:
        return b"[tool.servespec" in read_regular(path, MAX_SOURCE_BYTES)
    except OSError:
        return False
