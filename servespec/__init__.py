"""servespec: a declarative compiler and validator for LLM serving.

``load``, ``resolve``, ``check``, ``render``, ``run`` and ``smoke`` are all that the command line is
made of; each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servespec._version import __version__

if TYPE_CHECKING:
    from servespec.api import check, load, render, resolve, run, smoke

__all__ = ["__version__", "check", "load", "render", "resolve", "run", "smoke"]


def __getattr__(name: str) -> Any:
    """The public functions, on first use."""
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module 'servespec' has no attribute {name!r}")
    from servespec import api

    return getattr(api, name)
