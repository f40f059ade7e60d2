"""The engines, found by name; nothing outside an engine's package names it."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from servespec.engines.base import Engine

__all__ = ["engine_names", "get_engine"]


@lru_cache(maxsize=1)
def engine_names() -> tuple[str, ...]:
    """Names of all engines: the packages in this folder, sorted."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.ispkg))


@cache
def get_engine(name: str) -> Engine:
    """The engine of that name. Raises KeyError when there is none."""
    if name not in engine_names():
        raise KeyError(name)
    return cast("Engine", import_module(f"{__name__}.{name}").ENGINE)
