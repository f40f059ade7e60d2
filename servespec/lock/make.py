"""A lock from specs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servespec.errors import SourceError, UsageError
from servespec.models.local import is_local
from servespec.models.lookup import locate
from servespec.models.sources.lock import IMAGE_DIGEST, SCHEMA, digest, key_of
from servespec.spec.model import Model, Spec, Target

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU
    from servespec.models.sources.found import Found


Tell = Callable[[str], None]


def make(
    specs: Iterable[Spec], directory: Path, *, online: bool = False, tell: Tell | None = None
) -> dict[str, Any]:
    """The lock of specs that lie in one folder.

    Configurations that are neither in the catalogue nor in a file beside the spec are kept whole. Nothing is looked up
    on the network but, with ``online``, model configurations and the digests of images; ``tell`` is given why a digest
    is missing. Raises UsageError for two specs of one name, and what :func:`servespec.models.lookup.locate` raises.
    """
    document: dict[str, Any] = {"schema": SCHEMA, "specs": {}, "configurations": {}}
    for spec in specs:
        if spec.name in document["specs"]:
            raise UsageError(f"two specs in {directory} are called {spec.name}: a lock goes by their names")
        kept = document["configurations"]
        document["specs"][spec.name] = entry(spec, directory, kept, online=online, tell=tell)
    return document


def merged(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """The new lock, with what the old one has of other specs, and only the configurations that these name."""
    if old is None:
        return dict(new)
    specs = {
        **old["specs"],
        **{name: _with_digests(old["specs"].get(name), one) for name, one in new["specs"].items()},
    }
    models = [entry.get(part) for entry in specs.values() for part in ("model", "draft")]
    wanted = {model.get("configuration") for model in models if isinstance(model, dict)}
    configurations = {**old["configurations"], **new["configurations"]}
    return {
        "schema": SCHEMA,
        "specs": specs,
        "configurations": {key: value for key, value in configurations.items() if key in wanted},
    }


def _with_digests(old: object, new: dict[str, Any]) -> dict[str, Any]:
    """An entry made without a network keeps the digests of images that are still the same."""
    then = old.get("targets") if isinstance(old, dict) else None
    targets = {}
    for engine, target in new["targets"].items():
        before = then.get(engine) if isinstance(then, dict) else None
        is_same = isinstance(before, dict) and before.get("image") == target["image"]
        kept = before.get("image_digest") if is_same and isinstance(before, dict) else None
        targets[engine] = {**target, "image_digest": target["image_digest"] or kept}
    return {**new, "targets": targets}


def text_of(document: Mapping[str, Any]) -> str:
    """The file's text: the same for the same lock."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def entry(
    spec: Spec,
    directory: Path,
    configurations: dict[str, Any] | None = None,
    *,
    online: bool = False,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """What is pinned of one spec; configurations that have to be kept are put into ``configurations``."""
    from servespec.resolve import engines_of

    speculative = spec.speculative
    draft = None
    if speculative is not None and (speculative.model or speculative.config):
        draft = Model(id=speculative.model or spec.model.id, config=speculative.config)
    gpu = _gpu(spec)
    targets = {engine: _target(spec, engine, directory, gpu) for engine in engines_of(spec)}
    for target in targets.values():
        target["image_digest"] = _image_digest(target["image"], online, tell)
    return {
        "model": _model(spec.model, directory, configurations, online),
        "draft": None if draft is None else _model(draft, directory, configurations, online),
        "targets": targets,
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
    from servespec.engines.images import reference_of

    engine = get_engine(engine_name)
    target = spec.targets.get(engine_name, Target())
    version = target.version or engine.newest_version()
    calibration, image = None, target.image
    if gpu is not None:
        nearest = engine.nearest_version(version)
        calibration = find_calibration(directory, engine_name, nearest, gpu.name)
        image = image or reference_of(engine_name, version, nearest, gpu)
    return {
        "version": version,
        "image": image,
        "calibration": None if calibration is None else _digest_of(asdict(calibration)),
    }


def _image_digest(image: str | None, online: bool, tell: Tell | None) -> str | None:
    """The digest in the reference itself, else the registry's, where it may be asked and answers."""
    if image is None:
        return None
    _, _, given = image.partition("@")
    if IMAGE_DIGEST.fullmatch(given):
        return given
    if not online:
        return None
    from servespec.lock.registry import digest_of

    try:
        return digest_of(image)
    except SourceError as error:
        if tell is not None:
            tell(f"{error}; it is not pinned")
        return None


def _digest_of(value: object) -> str:
    return f"sha256:{sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()}"
