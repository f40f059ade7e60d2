"""``servespec models``: a list, one model in full, a configuration on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servespec.cli import invoke
from servespec.cli.models import command
from servespec.errors import UnknownModelError


def test_the_list_has_an_entry_for_every_model_that_matches_all_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(["qwen3", "fp8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Qwen/Qwen3-30B-A3B-FP8 ") for line in lines)
    assert all("qwen3" in line.lower() and "fp8" in line.lower() for line in lines[1:])


def test_one_model_is_shown_with_its_tensors_and_what_its_layers_keep(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(["openai/gpt-oss-20b"]) == 0
    shown = capsys.readouterr().out
    assert "20.91 B parameters" in shown
    assert "12 layers  sliding" in shown
    assert "mxfp4 4 bit" in shown


def test_an_alias_is_shown_under_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["meta-llama/Llama-3.1-8B-Instruct"], "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["id"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert row["parameters"] == 8_030_261_248
    assert row["kv"][0]["kv_heads"] == 8


def test_a_configuration_on_disk_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "architectures": ["LlamaForCausalLM"],
                "model_type": "llama",
                "hidden_size": 8,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "vocab_size": 32,
            }
        )
    )
    assert command([str(path)], "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["hidden_size"] == 8


def test_words_that_no_id_has_name_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match="catalogue has no model"):
        command(["no-such-model-at-all"])


def test_a_format_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["models", "--format", "yaml"]) == 2
    assert "'yaml' is none of text, json" in capsys.readouterr().err


def test_a_model_is_found_by_the_other_names_that_the_catalogue_has_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["models", "Llama-3.1-8B-Instruct"]) == 0
    assert "\nmeta-llama/Llama-3.1-8B-Instruct " in capsys.readouterr().out
