"""``servespec explain`` and ``servespec rules``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servespec.cli import invoke
from servespec.rules.registry import all_cards

SPEC = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
targets: {vllm: {version: 0.25.1}}
"""


def test_a_spec_is_explained_term_by_term_with_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    assert invoke(["explain", str(path), "--svg", str(tmp_path / "memory.svg")]) == 0
    out = capsys.readouterr().out
    for words in (
        "weights",
        "activation",
        "KV cache",
        "budget",
        "max_num_batched_tokens",
        "vllm 0.25.1 default",
    ):
        assert words in out
    assert (tmp_path / "memory.svg").read_text().startswith("<svg")


def test_a_broken_spec_is_told_and_not_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC + "limits: {max_model_len: -1}\n")
    assert invoke(["explain", str(path)]) == 1
    assert "SV013" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SV101", "sv101", "does-not-fit"])
def test_a_rule_is_explained_by_code_or_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["explain", name]) == 0
    out = capsys.readouterr().out
    assert out.startswith("SV101 does-not-fit (error)")
    assert "What to do" in out


def test_what_is_neither_rule_nor_file_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("SV999", "SV", "sv9999", "no-such-rule"):
        assert invoke(["explain", word]) == 2
        assert "servespec rules" in capsys.readouterr().err
    assert invoke(["explain", "no/such/file.yaml"]) == 1


def test_every_rule_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["rules", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["code"] for row in rows] == [card.code for card in all_cards()]
    assert invoke(["rules", "--target", "vllm"]) == 0
    assert "[sglang" not in capsys.readouterr().out
    assert invoke(["rules", "--format", "xml"]) == 2


def test_a_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "servespec v1"
    assert invoke(["schema", "--report"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "servespec report.v1"


def test_settings_stand_in_columns_and_what_is_not_set_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    assert invoke(["explain", str(path)]) == 0
    table = capsys.readouterr().out.partition("effective settings\n")[2].splitlines()
    assert any(
        line.split() == ["max_num_batched_tokens", "8,192", "vllm", "0.25.1", "default"] for line in table
    )
    assert any(line.split()[:3] == ["quantization", "not", "set"] for line in table)
    ends = {line.index("vllm 0.25.1 default") for line in table if line.endswith("vllm 0.25.1 default")}
    assert len(ends) == 1
