"""servespec's own predictions, taken from the command that users run: `servespec check --format json`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.cases import Case, write_specs
from benchmarks.accuracy.figures import Prediction

Reports = Mapping[str, Mapping[str, Any]]


def predict(cases: Sequence[Case], configurations: Path | None = None) -> dict[str, Prediction]:
    """Check all cases in one call; predictions by case."""
    return predictions(cases, reports(cases, configurations))


def predictions(cases: Sequence[Case], found: Reports) -> dict[str, Prediction]:
    """What the reports predict."""
    return {case.id: _prediction(case, found[case.id]) for case in cases}


def reports(cases: Sequence[Case], configurations: Path | None = None) -> dict[str, Mapping[str, Any]]:
    """The report's entry for each case, from one call.

    ``configurations`` is the folder that the specs' ``model.config`` files lie in; None takes them from
    the built-in catalogue.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if configurations is None:
            export_configurations(folder)
        else:
            for path in configurations.glob("*_config.json"):
                (folder / path.name).symlink_to(path.resolve())
        files = write_specs(cases, folder)
        result = subprocess.run(
            [sys.executable, "-m", "servespec", "check", "--format", "json", *map(str, files.values())],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode not in (0, 1):
            raise RuntimeError(f"servespec check ended with {result.returncode}: {result.stderr[-2000:]}")
        report = json.loads(result.stdout)
    by_path = {entry["path"]: entry for entry in report["files"]}
    return {case.id: by_path[str(files[case.id])] for case in cases}


def target_of(case: Case, entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The entry's part for the case's engine."""
    return next((target for target in entry.get("targets", ()) if target["engine"] == case.engine), None)


def export_configurations(folder: Path) -> None:
    """Write every configuration of the built-in catalogue as the files that the cases name."""
    from servespec.models.sources import catalogue

    for model in catalogue.ids():
        found = catalogue.read(model)
        if found is None:
            continue
        stem = model.replace("/", "--", 1)
        (folder / f"{stem}_config.json").write_text(json.dumps(found.config), encoding="utf-8")
        if found.hf_quant_config is not None:
            text = json.dumps(found.hf_quant_config)
            (folder / f"{stem}_hf_quant_config.json").write_text(text, encoding="utf-8")


def _prediction(case: Case, entry: Mapping[str, Any]) -> Prediction:
    reasons = [d["message"] for d in entry.get("diagnostics", ()) if d["severity"] in ("error", "warning")]
    target = target_of(case, entry)
    if target is None:
        return Prediction(verdict=entry["verdict"], reason="; ".join(reasons)[:300])
    memory = target.get("memory") or {}
    size, tokens = memory.get("kv_cache_bytes"), memory.get("kv_tokens")
    return Prediction(
        verdict=target["verdict"],
        weights_bytes=memory.get("weights_bytes"),
        activation_bytes=memory.get("activation_bytes"),
        kv_cache_bytes=size,
        # As of the measured rows: bytes of the cache by the tokens that the version prints, whatever it counts.
        kv_bytes_per_token=size / tokens if size and tokens else memory.get("kv_bytes_per_token"),
        kv_tokens=tokens,
        uncertainty_bytes=memory.get("uncertainty_bytes"),
        reason="; ".join(reasons)[:300],
    )
