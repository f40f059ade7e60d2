"""One module per architecture family, found by the architectures that it declares.

A family module has ``ARCHITECTURES`` (the names in a configuration's ``architectures``), may have
``MODEL_TYPES`` (for configurations that name no architecture), and ``build(config) -> Architecture``.
``index.json``, written by ``scripts/models/index.py`` from those declarations, lets one family be
imported without the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from servespec.errors import UnmodelledError

if TYPE_CHECKING:
    from servespec.models.config import Config
    from servespec.models.families.architecture import Architecture

__all__ = ["FamilyModule", "family_of"]


class FamilyModule(Protocol):
    """The shape of a family module."""

    ARCHITECTURES: tuple[str, ...]

    def build(self, config: Config) -> Architecture:
        """Tensors and KV layers of a configuration. Raises SourceError, UnmodelledError."""
        ...


@cache
def _index() -> Mapping[str, Mapping[str, str]]:
    text = (Path(__file__).parent / "index.json").read_text(encoding="utf-8")
    return cast("Mapping[str, Mapping[str, str]]", json.loads(text))


def family_of(config: Config) -> tuple[str, FamilyModule]:
    """The architecture's name and the module that models it. Raises UnmodelledError where none does."""
    index = _index()
    named = config.words("architectures")
    for architecture in named:
        module = index["architectures"].get(architecture)
        if module:
            return architecture, cast("FamilyModule", import_module(f"{__name__}.{module}"))
    module = None if named else index["model_types"].get(config.model_type)
    if module:
        return config.model_type, cast("FamilyModule", import_module(f"{__name__}.{module}"))
    what = named[0] if named else config.model_type or "without a name"
    raise UnmodelledError(f"architecture {what[:100]}")
