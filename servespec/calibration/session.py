"""A list of starts, one after the other: resumed where it stopped, each row written as it is measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.calibration.derive import derive
from servespec.calibration.rows import Row, append_row, read_rows
from servespec.calibration.store import FOLDER, save_calibration
from servespec.errors import MissingExtraError, ServespecError, UsageError
from servespec.hardware.nvml import NoDriverError

if TYPE_CHECKING:
    from servespec.calibration.trial import Trial

SHAPES = Path(__file__).parent / "shapes"


def default_specs(engine: str) -> tuple[Path, ...]:
    """The shapes that come with servespec: those for every engine, then those for this one."""
    return (*sorted(SHAPES.glob("*.yaml")), *sorted((SHAPES / engine).glob("*.yaml")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What is to be measured and where the rows go."""

    engine: str
    specs: tuple[Path, ...]
    rows: Path
    engine_python: Path | None = None
    limit_seconds: float = 600.0
    stop_after_seconds: float | None = None
    version: str | None = None
    gpu: str | None = None
    until_allocated: bool = False

    def predictions(self) -> Iterator[str]:
        """One JSON line a spec: what a start would be predicted to take."""
        with tempfile.TemporaryDirectory() as work:
            for path in self.specs:
                trial = self._prepare(path, Path(work))
                yield json.dumps({"id": trial.id, "predicted": trial.predicted})

    def run(self, tell: Callable[[str], None]) -> list[str]:
        """Make every start that the rows file does not have yet; returns the ids of those that could not be tried.

        Raises MissingExtraError and NoDriverError: nothing can be measured here.
        """
        done = {row.id for row in read_rows(self.rows)} if self.rows.exists() else set()
        begun = time.monotonic()
        failed: list[str] = []
        for number, path in enumerate(self.specs, 1):
            name = path.stem
            if name in done:
                tell(f"[{number}/{len(self.specs)}] {name}: measured before")
                continue
            if self.stop_after_seconds is not None and time.monotonic() - begun > self.stop_after_seconds:
                tell(f"[{number}/{len(self.specs)}] {name}: left out, the time is used up")
                continue
            try:
                row = self._measure(path)
            except (MissingExtraError, NoDriverError):
                raise  # as every other start would end
            except ServespecError as error:
                tell(f"[{number}/{len(self.specs)}] {name}: {error}")
                failed.append(name)
                continue
            append_row(row, self.rows)
            tell(f"[{number}/{len(self.specs)}] {summary(row)}")
        return failed

    def store(self, output: Path | None) -> Path | None:
        """Derive calibrations of all rows and write them; returns the file, None without a row."""
        if not self.rows.exists():
            return None
        rows = read_rows(self.rows)
        target = output or FOLDER / f"{self.rows.stem}.json"
        calibrations = derive(rows, target.stem)
        if not calibrations:
            return None
        save_calibration(calibrations, target)
        return target

    def _measure(self, path: Path) -> Row:
        from servespec.calibration.measure import measure
        from servespec.runtime import Host

        with tempfile.TemporaryDirectory() as work:
            trial = self._prepare(path, Path(work))
            place = Host(self.engine_python)
            return measure(trial, place, self.limit_seconds, until_allocated=self.until_allocated)

    def _prepare(self, path: Path, work: Path) -> Trial:
        from servespec.calibration.trial import prepare
        from servespec.spec import load

        loaded = load(path)
        if loaded.spec is None:
            raise UsageError(f"{path} has mistakes: `servespec check {path}` tells which")
        return prepare(
            path.stem, loaded.spec, self.engine, loaded.directory, work, version=self.version, gpu=self.gpu
        )


def installed_version(engine: str, python: Path | None) -> str | None:
    """The version of the engine's package in that environment; None where it is not installed."""
    code = f"from importlib.metadata import version; print(version({engine!r}))"
    program = str(python) if python is not None else shutil.which("python3")
    if program is None:
        return None
    result = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip().partition("+")[0] or None


def summary(row: Row) -> str:
    """One line for a person: outcome, KV tokens predicted and measured."""
    predicted, measured = row.predicted.get("kv_tokens"), row.measured.get("kv_tokens")
    if isinstance(predicted, int) and isinstance(measured, int) and measured:
        error = (predicted - measured) / measured
        return f"{row.id}: {row.outcome} in {row.seconds:.0f} s, KV tokens {measured:,} (predicted {predicted:,}, {error:+.3%})"
    return f"{row.id}: {row.outcome} in {row.seconds:.0f} s (predicted {row.predicted.get('verdict')})"
