"""Quantization: what a checkpoint says (or a spec asks of the engine), and what that makes of each tensor.

Public: :func:`parse`, :func:`online_quantization`, :func:`format_of`, :func:`by_format`,
:func:`checkpoint_bytes`. Each is imported with its module on first use: few checks need them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servespec.models.quantization.declared import parse
    from servespec.models.quantization.matching import by_format, format_of
    from servespec.models.quantization.online import online_quantization
    from servespec.models.quantization.storage import checkpoint_bytes

__all__ = ["by_format", "checkpoint_bytes", "format_of", "online_quantization", "parse"]

_HOMES = {
    "by_format": "matching",
    "format_of": "matching",
    "online_quantization": "online",
    "parse": "declared",
    "checkpoint_bytes": "storage",
}


def __getattr__(name: str) -> object:
    """The function of that name, from the module where it lives."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
