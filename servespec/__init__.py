"""servespec: a declarative compiler and validator for LLM serving.

``load``, ``resolve``, ``check``, ``render``, ``run`` and ``smoke`` are all that the command line is
made of; each is imported when it is first used.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from servespec._version import __version__

if TYPE_CHECKING:
    from servespec.api import check, load, render, resolve, run, smoke

__all__ = ["__version__", "check", "load", "render", "resolve", "run", "smoke"]


class _Api(ModuleType):
    """The package, whose public functions stay what they are when a subpackage of the same name is imported.

    Importing ``servespec.smoke`` would otherwise put the subpackage where the function ``smoke`` is.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _FUNCTIONS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        """The public functions, on first use."""
        if name not in _FUNCTIONS:
            raise AttributeError(f"module 'servespec' has no attribute {name!r}")
        from servespec import api

        function = getattr(api, name)
        setattr(self, name, function)
        return function


_FUNCTIONS = frozenset(__all__) - {"__version__"}
sys.modules[__name__].__class__ = _Api
