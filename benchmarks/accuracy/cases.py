"""The measured start-ups, and their specs as files that `servespec check` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One start-up: the spec, what was measured (bytes, tokens), and how sure the row is of its inputs."""

    id: str
    engine: str
    confidence: str
    spec: Mapping[str, Any]
    measured: Mapping[str, Any]
    precision: Mapping[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def gpu(self) -> str:
        """The GPU's name in the catalogue."""
        return str(self.spec["hardware"]["gpu"])

    @property
    def started(self) -> bool | None:
        """Whether the engine started; None where the log does not show it."""
        outcome = self.measured.get("outcome")
        return None if outcome is None else outcome in ("started", "allocated")

    def decided_by_unknown(self, figure: str) -> bool:
        """Whether an input that the row does not give decides the figure, so that it cannot be held against us."""
        if not self.unknown:
            return False
        if figure == "weights_bytes":
            return False
        if figure == "kv_bytes_per_token":
            return "limits.max_model_len" in self.unknown
        return True


def load_cases(paths: Iterable[Path]) -> tuple[Case, ...]:
    """All cases of the files, in order."""
    cases = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            row = json.loads(line)
            cases.append(
                Case(
                    id=row["id"],
                    engine=row["engine"],
                    confidence=row["confidence"],
                    spec=row["spec"],
                    measured=row["measured"],
                    precision=row.get("precision", {}),
                    unknown=tuple(row.get("unknown", ())),
                )
            )
    return tuple(cases)


def write_specs(cases: Iterable[Case], folder: Path) -> dict[str, Path]:
    """Write each case's spec into the folder (JSON is YAML); returns the files by case."""
    files = {}
    for number, case in enumerate(cases):
        path = folder / f"{number:04d}.yaml"
        spec = {key: value for key, value in case.spec.items() if value is not None}
        spec["name"] = f"case-{number:04d}"
        path.write_text(json.dumps(spec, indent=1), encoding="utf-8")
        files[case.id] = path
    return files
