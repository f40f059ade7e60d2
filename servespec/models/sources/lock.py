"""``servespec.lock`` beside a spec: configurations of models that the catalogue does not have, digests of images."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from servespec.errors import SourceError
from servespec.models.sources.found import Found, read_json

NAME = "servespec.lock"
SCHEMA = "lock.v1"
IMAGE_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def read_lock(path: Path) -> dict[str, Any] | None:
    """The lock as data; None where there is none. Raises SourceError for a file that is no lock."""
    if not path.is_file():
        return None
    document = read_json(path)
    parts = ("specs", "configurations")
    if document.get("schema") != SCHEMA or not all(isinstance(document.get(part), dict) for part in parts):
        raise SourceError(
            f"{path} is no lock of this servespec ({SCHEMA}): make it anew with `servespec lock`"
        )
    return dict(document)


def digest(found: Found) -> str:
    """Of what a configuration says, however its file is laid out: SHA-256 of its JSON with sorted keys."""
    document = {"config": found.config, "hf_quant_config": found.hf_quant_config}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def key_of(model: str, revision: str | None) -> str:
    """What a configuration stands under: ``id@revision``, the id alone where none is pinned."""
    return f"{model}@{revision}" if revision else model


def read(model: str, revision: str | None, directory: Path) -> Found | None:
    """The locked configuration of a model; None where there is no lock, or it has none of that revision.

    Raises SourceError for a lock whose configuration was changed by hand.
    """
    path = directory / NAME
    document = read_lock(path)
    entry = None if document is None else document["configurations"].get(key_of(model, revision))
    if entry is None:
        return None
    try:
        found = Found(
            config=entry["config"],
            hf_quant_config=entry["hf_quant_config"],
            source=f"{NAME} ({entry['source']})",
            revision=entry["revision"],
            tensor_bytes=entry["tensor_bytes"],
        )
        is_whole = isinstance(found.config, dict) and digest(found) == entry["digest"]
    except (KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise SourceError(
            f"{path}: the configuration of {model} is not the one that was locked: lock it anew"
        )
    return found


def locked_digest(image: str, spec: str, engine: str, directory: Path) -> str | None:
    """The digest that a spec's image is pinned to; None where there is no lock, or it has another image.

    Raises SourceError for a file that is no lock.
    """
    document = read_lock(directory / NAME)
    entry: Any = None if document is None else document["specs"].get(spec)
    for key in ("targets", engine):
        entry = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or entry.get("image") != image:
        return None
    found = entry.get("image_digest")
    return found if isinstance(found, str) and IMAGE_DIGEST.fullmatch(found) else None
