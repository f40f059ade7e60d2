"""The committed catalogue is what the scripts read from an engine that is installed here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "flags"
sys.path.insert(0, str(SCRIPTS))

from catalogue_file import FLAGS_DIR, Row, expand, read_rows  # noqa: E402
from compare import differences  # noqa: E402
from renew import named  # noqa: E402

VERSIONS = {"vllm": "0.32.0", "sglang": "0.5.23"}


def regenerated(engine: str, sources: Path, python: Path, out: Path, *options: str) -> dict[str, Row]:
    command = [python, SCRIPTS / f"read_{engine}.py", sources, out, *options]
    subprocess.run(command, check=True, capture_output=True, cwd=out.parent)
    return named(json.loads(out.read_text())["flags"])


@pytest.mark.engine
@pytest.mark.parametrize("engine", sorted(VERSIONS))
def test_what_is_committed_is_what_the_installed_engine_says(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    python: Path = request.getfixturevalue(f"{engine}_python")
    (sources,) = python.parent.parent.glob("lib/python3*/site-packages")
    data = read_rows(FLAGS_DIR / engine / "flags" / "flags.json")
    committed = expand(data["releases"], data["rows"])[VERSIONS[engine]]
    stubbed = regenerated(engine, sources, Path(sys.executable), tmp_path / "stubbed.json")
    assert differences(engine, committed, stubbed) == []
    real = regenerated(engine, sources, python, tmp_path / "real.json", "--real")
    assert [line for line in differences(engine, committed, real) if not line.startswith("explained")] == []
