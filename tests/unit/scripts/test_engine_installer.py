"""The installer of real engines: where it puts them, and what it says when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "engines" / "install.py"


def install(*words: str, root: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "SERVESPEC_"))}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "SERVESPEC_ENGINES": str(root), **variables}
    command = (sys.executable, str(SCRIPT), *words)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_the_path_is_told_without_installing_and_keyed_by_the_pins(engine: str, tmp_path: Path) -> None:
    told = install(engine, "--print-path", root=tmp_path)
    python = Path(told.stdout.strip())
    assert python.relative_to(tmp_path).parts[1:] == ("bin", "python")
    assert python.relative_to(tmp_path).parts[0].startswith(f"{engine}-")
    assert not python.exists()


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux", reason="the pins are for Linux and 3.11"
)
def test_a_missing_torch_is_told_in_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    done = install("vllm", root=tmp_path, PIP_NO_INDEX="1")
    assert done.returncode == 2
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("engines: FAILED: the CPU build of torch")
    assert "SERVESPEC_TORCH_WHEELS" in last
    assert not list(tmp_path.glob("vllm-*/.complete"))


def test_an_engine_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = install("tgi", root=tmp_path)
    assert done.returncode == 2
    assert "invalid choice: 'tgi'" in done.stderr


def test_every_pin_is_exact() -> None:
    files = list((SCRIPT.parent / "pins").glob("*.txt"))
    assert files
    for pins in files:
        lines = [line for line in pins.read_text().splitlines() if line and not line.startswith("#")]
        assert all(line.count("==") == 1 and "*" not in line for line in lines), pins
