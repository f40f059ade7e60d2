"""Finding the configuration file that holds for a folder; cheap, because most projects have none."""

from __future__ import annotations

import os

NAMES = ("servespec.toml", "pyproject.toml")


def candidate(directory: str) -> str | None:
    """The nearest configuration file of a folder, or of one above it up to the repository's root."""
    current = os.path.abspath(directory)  # noqa: PTH100 (resolve() would leave a linked folder)
    while True:
        for name in NAMES:
            path = os.path.join(current, name)  # noqa: PTH118
            if os.path.isfile(path) and (name != "pyproject.toml" or _mentions(path)):  # noqa: PTH113
                return path
        parent = os.path.dirname(current)  # noqa: PTH120
        if parent == current or os.path.exists(os.path.join(current, ".git")):  # noqa: PTH110, PTH118
            return None
        current = parent


def _mentions(path: str) -> bool:
    from servespec.spec.source import MAX_SOURCE_BYTES, read_regular

    try:
        return b"[tool.servespec" in read_regular(path, MAX_SOURCE_BYTES)
    except OSError:
        return False
