"""Telling people: ``write`` puts a :class:`servespec.report.model.CheckReport` into a format by name.

A format is a module of ``report/formats`` with one function ``write(report, style)``.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from servespec.report import formats
from servespec.report.style import PLAIN, Style

if TYPE_CHECKING:
    from servespec.report.model import CheckReport

__all__ = ["PLAIN", "Style", "format_names", "write"]


@lru_cache(maxsize=1)
def format_names() -> tuple[str, ...]:
    """All formats: the modules of ``report/formats``; text first, it is the default."""
    from pkgutil import iter_modules

    names = sorted(module.name for module in iter_modules(formats.__path__))
    return tuple(sorted(names, key=lambda name: name != "text"))


def write(report: CheckReport, format_name: str, style: Style = PLAIN) -> str:
    """The whole report as text of that format, with a line end. Raises KeyError for an unknown format."""
    if format_name != "text" and format_name not in format_names():
        raise KeyError(format_name)
    return cast("str", import_module(f"{formats.__name__}.{format_name}").write(report, style))
