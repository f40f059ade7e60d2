"""A config.json on disk, with ModelOpt's file beside it."""

from __future__ import annotations

from pathlib import Path

from servespec.errors import SourceError
from servespec.models.sources.found import Found, read_json


def beside(path: Path) -> Path:
    """Where ModelOpt's file would be: hf_quant_config.json, or X_hf_quant_config.json beside X_config.json."""
    if path.name.endswith("_config.json"):
        return path.with_name(path.name.removesuffix("_config.json") + "_hf_quant_config.json")
    return path.with_name("hf_quant_config.json")


def read(path: Path) -> Found:
    """The configuration of a file. Raises SourceError."""
    if not path.exists():
        raise SourceError(f"there is no model configuration at {path}")
    quantized = beside(path)
    return Found(
        config=read_json(path),
        hf_quant_config=read_json(quantized) if quantized.is_file() else None,
        source=str(path),
    )
