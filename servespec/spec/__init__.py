"""The language: a spec's text becomes nodes with places, and a frozen :class:`Spec`.

``load`` reads a file, ``load_text`` text; ``locate`` finds the place of a dotted key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servespec.spec.loader import LoadedSpec, load, load_text
    from servespec.spec.nodes import locate

__all__ = ["LoadedSpec", "load", "load_text", "locate"]


def __getattr__(name: str) -> Any:
    """Import on first use: most of servespec needs the model alone."""
    if name not in __all__:
        raise AttributeError(name)
    from importlib import import_module

    module = import_module("servespec.spec.nodes" if name == "locate" else "servespec.spec.loader")
    return getattr(module, name)
