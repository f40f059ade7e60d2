"""Models and adapters that are folders of this machine, by their names."""

from __future__ import annotations

import os.path
from pathlib import Path


def is_local(name: str) -> bool:
    """Whether a model or an adapter is a folder rather than a Hub id."""
    return name.startswith((".", "/", "~")) or (len(name) > 2 and name[1:3] in (":\\", ":/"))


def expand_home(name: str | Path) -> Path:
    """The path with ``~`` and ``~user`` replaced, where there is such a user; else as it is."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 (Path.expanduser raises for an unknown user)
