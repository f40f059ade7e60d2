"""Every format has a committed artefact, and each is what rendering makes of its example today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from servespec.render.registry import format_names

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "examples"


def test_committed_artefacts_are_what_is_rendered() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "golden_artefacts.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}run `make golden`"


def test_every_format_has_a_golden_file() -> None:
    shown = {
        line.removesuffix(".").rpartition("format ")[2]
        for path in GOLDEN.rglob("*")
        if path.is_file()
        for line in path.read_text("utf-8").splitlines()[:12]
        if "Rendered by servespec" in line
    }
    assert set(format_names()) - shown == {"argv", "grafana"}  # JSON has no room for a header in words
    assert list(GOLDEN.rglob("*.argv.json"))
    assert list(GOLDEN.rglob("*.grafana.json"))
