"""A lock from specs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servespec.errors import UsageError
from servespec.models.lookup import is_local, locate
from servespec.models.sources.lock import SCHEMA, digest, key_of
from servespec.spec.model import Model, Spec, Target

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU
    from servespec.models.sources.found import Found

_IMAGE_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


def make(specs: Iterable[Spec], directory: Path, *, online: bool = False) -> dict[str, Any]:
    """The lock of specs that lie in one folder.

    Configurations that are neither in the catalogue nor in a file beside the spec are kept whole. Nothing is looked up
    on the network but, with ``online``, model configurations. Raises UsageError for two specs of one name,
    and what :func:`servespec.models.lookup.locate` raises.
    """
    document: dict[str, Any] = {"schema": SCHEMA, "specs": {}, "configurations": {}}
    for spec in specs:
        if spec.name in document["specs"]:
            raise UsageError(f"two specs in {directory} are called {spec.name}: a lock goes by their names")
        document["specs"][spec.name] = entry(spec, directory, document["configurations"], online=online)
    return document


def merged(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """The new lock, with what the old one has of other specs, and only the configurations that these name."""
    if old is None:
        return dict(new)
    specs = {**old["specs"], **new["specs"]}
    models = [entry.get(part) for entry in specs.values() for part in ("model", "draft")]
    wanted = {model.get("configuration") for model in models if isinstance(model, dict)}
    configurations = {**old["configurations"], **new["configurations"]}
    return {
        "schema": SCHEMA,
        "specs": specs,
        "configurations": {key: value for key, value in configurations.items() if key in wanted},
    }


def text_of(document: Mapping[str, Any]) -> str:
    """The file's text: the same for the same lock."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def entry(
    spec: Spec, directory: Path, configurations: dict[str, Any] | None = None, *, online: bool = False
) -> dict[str, Any]:
    """What is pinned of one spec; configurations that have to be kept are put into ``configurations``."""
    from servespec.resolve import engines_of

    speculative = spec.speculative
    draft = None
    if speculative is not None and (speculative.model or speculative.config):
        draft = Model(id=speculative.model or spec.model.id, config=speculative.config)
    gpu = _gpu(spec)
    return {
        "model": _model(spec.model, directory, configurations, online),
        "draft": None if draft is None else _model(draft, directory, configurations, online),
        "targets": {engine: _target(spec, engine, directory, gpu) for engine in engines_of(spec)},
    }


def _model(
    model: Model, directory: Path, configurations: dict[str, Any] | None, online: bool
) -> dict[str, Any]:
    found = locate(model, directory, online)
    key = None
    if model.config is None and not found.source.startswith("catalogue"):
        key = key_of(model.id, model.revision)
        if configurations is not None:
            configurations[key] = _kept(found, is_local(model.id))
    return {
        "configuration": key,
        "id": model.id,
        "revision": found.revision or model.revision,
        "config": model.config,
        "digest": digest(found),
    }


def _kept(found: Found, is_folder: bool) -> dict[str, Any]:
    return {
        "config": dict(found.config),
        "hf_quant_config": None if found.hf_quant_config is None else dict(found.hf_quant_config),
        "source": "folder" if is_folder else "Hub",
        "revision": found.revision,
        "tensor_bytes": found.tensor_bytes,
        "digest": digest(found),
    }


def _gpu(spec: Spec) -> GPU | None:
    """The catalogue's GPU; a lock does not ask the machine that it is made on."""
    from servespec.errors import UnknownGPUError
    from servespec.hardware.catalogue import named

    try:
        return named(spec.hardware.gpu)
    except UnknownGPUError:
        return None


def _target(spec: Spec, engine_name: str, directory: Path, gpu: GPU | None) -> dict[str, Any]:
    from servespec.calibration.store import find_calibration
    from servespec.engines import get_engine

    engine = get_engine(engine_name)
    target = spec.targets.get(engine_name, Target())
    version = target.version or engine.newest_version()
    calibration = None
    if gpu is not None:
        calibration = find_calibration(directory, engine_name, engine.nearest_version(version), gpu.name)
    pinned = _IMAGE_DIGEST.search(target.image or "")
    return {
        "version": version,
        "image": target.image,
        "image_digest": pinned.group(1) if pinned else None,
        "calibration": None if calibration is None else _digest_of(asdict(calibration)),
    }


def _digest_of(value: object) -> str:
    return f"sha256:{sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()}"
