"""``servespec observe``: whose log it is, what it says, and what was predicted."""

import json
from pathlib import Path

import pytest

from servespec.cli import invoke

ROOT = Path(__file__).parents[3]
LOGS = ROOT / "tests" / "data" / "logs"
EXAMPLE = str(ROOT / "examples" / "tiny-cpu.yaml")


def figures(log: Path) -> set[str]:
    """Figures of memory that the log is known to print."""
    expected = json.loads(log.with_suffix(".json").read_text())["expected"]
    return {name for name, value in expected.items() if value} - {"ready", "refusal", "refusal_kind"}


TELLING = [log for log in sorted(LOGS.glob("*/*.log")) if figures(log)]


@pytest.mark.parametrize("log", TELLING, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_whose_log_it_is_is_found_out(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(["observe", str(log), "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert document["engine"] == log.parent.name
    assert code == (1 if "refusal" in document["observed"] else 0)


def test_a_log_is_held_against_the_spec_that_it_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    log = LOGS / "vllm" / "0.32.0-cpu.log"
    assert invoke(["observe", str(log), "--spec", EXAMPLE, "--format", "json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["comparison"]}
    assert rows["KV tokens"]["predicted"] == rows["KV tokens"]["observed"] == 2_097_152
    assert rows["KV cache"]["agreement"] == "exact"


def test_the_text_names_the_reason_of_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    log = LOGS / "vllm" / "0.32.0-cpu-refused-len-over-kv-space.log"
    assert invoke(["observe", str(log)]) == 1
    out = capsys.readouterr().out
    assert "was refused" in out
    assert "To serve at least one request" in out
    assert "estimated max model len: 1,792" in out


def test_what_is_no_log_is_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"\x00\xff nothing\n")
    assert invoke(["observe", str(path)]) == 2
    assert "whole log" in capsys.readouterr().err
    assert invoke(["observe", str(tmp_path / "none")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_a_calibration_needs_the_spec(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["observe", str(LOGS / "vllm" / "0.32.0-cpu.log"), "--store"]) == 2
    assert "--spec" in capsys.readouterr().err
