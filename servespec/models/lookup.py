"""From what a spec says of its model to the facts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.errors import UnknownModelError
from servespec.models.build import facts_from_config
from servespec.models.facts import ModelFacts
from servespec.models.local import expand_home, is_local
from servespec.models.sources import catalogue
from servespec.models.sources.found import Found

if TYPE_CHECKING:
    from servespec.spec.model import Model


def find(model: Model, directory: Path, online: bool = False) -> ModelFacts:
    """The facts of a spec's model.

    ``model.config`` is read where it is given (a file or a folder, relative to ``directory``); then a local folder
    where the id names one; then the Hub, only when ``online``; then ``servespec.lock`` beside the spec; then the
    catalogue. Raises UnknownModelError with the nearest ids, SourceError for a file that makes no sense,
    UnmodelledError for an architecture or quantization that is not modelled.
    """
    if model.config is None and not is_local(model.id) and not online and _locked(model, directory) is None:
        return _of_catalogue(model.id, model.revision)
    return _facts(locate(model, directory, online), model.id, model.revision)


@lru_cache(maxsize=64)
def _of_catalogue(id: str, revision: str | None) -> ModelFacts:
    """The same object for the same model, so that what follows from it alone is worked out once."""
    found = catalogue.read(id)
    if found is None:
        raise unknown(id)
    return _facts(found, id, revision)


def _facts(found: Found, id: str, revision: str | None) -> ModelFacts:
    return facts_from_config(
        found.config,
        id=id,
        source=found.source,
        hf_quant_config=found.hf_quant_config,
        revision=found.revision or revision,
        tensor_bytes=found.tensor_bytes,
    )


def locate(model: Model, directory: Path, online: bool) -> Found:
    """The configuration of a spec's model, from the first source that is asked for."""
    if model.config is not None:
        return _from_path(directory / expand_home(model.config))
    locked = None if online else _locked(model, directory)
    if is_local(model.id):
        path = directory / expand_home(model.id)
        return locked if locked is not None and not path.exists() else _from_path(path)
    if online:
        from servespec.models.sources import hub

        return hub.read(model.id, model.revision)
    known = locked or catalogue.read(model.id)
    if known is None:
        raise unknown(model.id)
    return known


def _locked(model: Model, directory: Path) -> Found | None:
    if not (directory / "servespec.lock").exists():  # without one, its reader need not be imported
        return None
    from servespec.models.sources import lock

    return lock.read(model.id, model.revision, directory)


def _from_path(path: Path) -> Found:
    from servespec.models.sources import file, folder

    return folder.read(path) if path.is_dir() else file.read(path)


def unknown(model: str) -> UnknownModelError:
    """The error that says how to give the facts of a model that the catalogue does not have."""
    close = catalogue.nearest(model)
    hint = f"; nearest: {', '.join(close)}" if close else ""
    return UnknownModelError(
        f"the catalogue has no model {model!r}{hint}. Give its configuration (model.config: ./config.json), "
        "a local folder as model.id, or allow the Hub with --online (`servespec models` lists the catalogue)"
    )
