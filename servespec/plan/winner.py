"""An answer as a spec of its own, confirmed by ``check``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servespec.models.local import is_local

if TYPE_CHECKING:
    from servespec.plan.evaluate import Fit
    from servespec.report.model import FileReport
    from servespec.spec.model import Spec

HEADER = (
    "# Planned by servespec for the workload below; `servespec check` and `servespec plan` start from here.\n"
)


def text_of(fit: Fit, base: Spec, directory: Path, folder: Path) -> str:
    """The YAML of the answer, for a file in ``folder``; paths in it are written from there."""
    from servespec.render.yaml_writer import dump_yaml

    spec = fit.candidate.spec(base, fit.sizing.replicas)
    data = _without_nothing(spec.model_dump(mode="json", exclude_unset=True))
    data.pop("extends", None)
    data["targets"] = {
        fit.candidate.engine: {"version": fit.version, **data["targets"][fit.candidate.engine]}
    }
    _rebase(data, directory, folder)
    return dump_yaml(data, header=HEADER)


def confirm(text: str, engine: str, folder: Path) -> FileReport:
    """What ``servespec check`` says of that text."""
    from servespec.check import Options, check_file
    from servespec.spec.loader import load_text

    return check_file(load_text(text, directory=folder), Options(targets=(engine,)))


def _without_nothing(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nothing(item) for key, item in value.items() if item is not None}


def _rebase(data: dict[str, Any], directory: Path, folder: Path) -> None:
    """Relative paths of the spec, as seen from another folder."""
    if directory.resolve() == folder.resolve():
        return
    model = data["model"]
    if "config" in model:
        model["config"] = _moved(model["config"], directory, folder)
    if is_local(model["id"]):
        model["id"] = _moved(model["id"], directory, folder)
    speculative = data.get("speculative") or {}
    if "config" in speculative:
        speculative["config"] = _moved(speculative["config"], directory, folder)
    if "model" in speculative and is_local(speculative["model"]):
        speculative["model"] = _moved(speculative["model"], directory, folder)
    modules: dict[str, Any] = (model.get("adapters") or {}).get("modules") or {}
    for name, place in modules.items():
        if isinstance(place, str) and is_local(place):
            modules[name] = _moved(place, directory, folder)


def _moved(path: str, directory: Path, folder: Path) -> str:
    if path.startswith("~") or Path(path).is_absolute():
        return path
    moved = os.path.relpath((directory / path).resolve(), folder.resolve())
    moved = moved.replace(os.sep, "/")
    return moved if moved.startswith(".") else f"./{moved}"
