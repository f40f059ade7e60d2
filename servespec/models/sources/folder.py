"""A checkpoint in a local folder: its config.json, and exact bytes from its safetensors headers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from servespec.errors import SourceError
from servespec.models.sources import file
from servespec.models.sources.found import Found
from servespec.models.sources.safetensors import read_folder


def read(folder: Path) -> Found:
    """The configuration of a folder. Raises SourceError."""
    path = folder / "config.json"
    if not path.is_file():
        hint = (
            " (params.json is Mistral's own format: convert it)" if (folder / "params.json").is_file() else ""
        )
        raise SourceError(f"the folder {folder} has no config.json{hint}")
    tensors = read_folder(folder)
    total = sum(tensor.bytes for tensor in tensors) if tensors else None
    return replace(file.read(path), source=str(folder), tensor_bytes=total)
