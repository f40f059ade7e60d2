"""What a checkpoint is: a configuration becomes :class:`servespec.models.facts.ModelFacts`.

Public: :func:`find` (from a spec's ``model``), :func:`facts_from_config` (from a parsed config.json),
:mod:`servespec.models.quantization` (what quantization makes of a tensor).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servespec.models.build import facts_from_config
    from servespec.models.lookup import find

__all__ = ["facts_from_config", "find"]


def __getattr__(name: str) -> object:
    """Import on first use, so that the types in ``facts`` cost nothing more."""
    if name == "find":
        from servespec.models.lookup import find

        return find
    if name == "facts_from_config":
        from servespec.models.build import facts_from_config

        return facts_from_config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
