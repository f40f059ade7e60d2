"""Calibrations as files: ``.servespec/calibration/*.json`` beside the spec or in a folder above it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from servespec.calibration.model import CalibratedTerm, Calibration, Conditions
from servespec.errors import SourceError
from servespec.spec.source import MAX_SOURCE_BYTES, read_regular
from servespec.writing import write_atomically

FOLDER = Path(".servespec") / "calibration"
VARIABLE = "SERVESPEC_CALIBRATION"
"""Names one more file or folder that is looked into first."""

SCHEMA = "calibration.v1"


def find_calibration(
    directory: Path, engine: str, version: str, gpu: str, files: Iterable[Path] | None = None
) -> Calibration | None:
    """The calibration for that engine version on that GPU, the nearest folder first. Raises SourceError.

    ``files`` are those of the folder (:func:`calibration_files`), where they are known already.
    """
    for path in calibration_files(directory) if files is None else files:
        for calibration in load_calibration(path):
            if (calibration.engine, calibration.version, calibration.gpu) == (engine, version, gpu):
                return calibration
    return None


def load_calibration(path: Path) -> tuple[Calibration, ...]:
    """The calibrations of one file. Raises SourceError."""
    try:
        modified = path.stat().st_mtime_ns
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    return _load(path, modified)


@lru_cache(maxsize=64)
def _load(path: Path, modified: int) -> tuple[Calibration, ...]:
    try:
        document = json.loads(read_regular(str(path), MAX_SOURCE_BYTES))
        if document.get("schema") != SCHEMA:
            raise SourceError(f"{path} is no calibration: schema {SCHEMA} was expected")
        return tuple(_calibration(entry) for entry in document["calibrations"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{path} is no calibration: {error}") from error


def _calibration(entry: dict[str, Any]) -> Calibration:
    terms = tuple(
        CalibratedTerm(**{**term, "when": Conditions(**term["when"])}) for term in entry.pop("terms")
    )
    return Calibration(**entry, terms=terms)


def save_calibration(calibrations: Iterable[Calibration], path: Path) -> None:
    """Write calibrations atomically; what the file held before is replaced. Raises SourceError."""
    document = {"schema": SCHEMA, "calibrations": [asdict(calibration) for calibration in calibrations]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {error.strerror}") from error


def calibration_files(directory: Path) -> Iterator[Path]:
    """The files that hold for specs of a folder, the nearest first."""
    named = os.environ.get(VARIABLE)
    if named:
        yield from _json_files(Path(named))
    start = directory.absolute()
    for folder in (start, *start.parents):
        yield from _json_files(folder / FOLDER)
        if (folder / ".git").exists():
            return


def _json_files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    elif place.is_dir():
        yield from sorted(place.glob("*.json"))
