"""One measured start a line, in the shape of the accuracy benchmark's cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servespec.errors import SourceError
from servespec.writing import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One start: the spec, what was predicted before it, what was measured.

    ``measured`` has ``outcome`` (started, allocated, refused, oom, timeout, failed) and bytes and tokens by the
    names of the report; ``precision`` is half a unit of what the engine rounds to, nothing where it is
    exact. ``gpu_memory`` is NVML's used bytes before the start, when ready and after the stop: of the fullest GPU
    where there are several, and ``gpus_memory`` is that of each, the first rank's first. ``ranks`` is what each
    worker's log says for itself, where several speak; the smallest KV cache of them is the one in ``measured``.
    """

    id: str
    engine: str
    version: str
    gpu: str
    spec: Mapping[str, Any]
    predicted: Mapping[str, Any]
    measured: Mapping[str, Any]
    precision: Mapping[str, int] = field(default_factory=dict)
    gpu_memory: Mapping[str, int] = field(default_factory=dict)
    gpus_memory: Mapping[str, Sequence[int]] = field(default_factory=dict)
    ranks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    eager: bool = False
    tensor_parallel: int = 1

    @property
    def outcome(self) -> str:
        """How the start ended."""
        return str(self.measured.get("outcome"))

    def difference(self, figure: str) -> int | None:
        """Measured less predicted, None where either is missing."""
        measured, predicted = self.measured.get(figure), self.predicted.get(figure)
        if isinstance(measured, int) and isinstance(predicted, int):
            return measured - predicted
        return None

    def as_json(self) -> str:
        """The row as one line."""
        return json.dumps(
            {
                "id": self.id,
                "engine": self.engine,
                "source": "servespec calibrate",
                "confidence": "exact",
                "version": self.version,
                "gpu": self.gpu,
                "spec": self.spec,
                "predicted": self.predicted,
                "measured": self.measured,
                "precision": self.precision,
                "gpu_memory": self.gpu_memory,
                **({"gpus_memory": self.gpus_memory} if self.gpus_memory else {}),
                **({"ranks": self.ranks} if self.ranks else {}),
                "seconds": round(self.seconds, 1),
                "eager": self.eager,
                "tensor_parallel": self.tensor_parallel,
            }
        )


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a file; a line that a stopped run left unfinished is skipped. Raises SourceError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise SourceError(f"{path}:{number} is not JSON: {error.msg}") from error
        try:
            known = {name: document[name] for name in Row.__dataclass_fields__ if name in document}
            rows.append(Row(**known))
        except (TypeError, KeyError) as error:
            raise SourceError(f"{path}:{number} is no row of `servespec calibrate`: {error}") from error
    return tuple(rows)


def append_row(row: Row, path: Path) -> None:
    """Add a row to the file, in the place of a line that a stopped run left unfinished. Raises SourceError."""
    rows = (*(read_rows(path) if path.exists() else ()), row)
    try:
        write_atomically(path, "".join(each.as_json() + "\n" for each in rows))
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {error.strerror}") from error
