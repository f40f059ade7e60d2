"""From a spec's model to facts: files, folders, and what is said when there is nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from servespec.errors import SourceError
from servespec.models import find
from servespec.spec.model import Model
from tests.unit.models.sources.test_safetensors import entry, write

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 32,
    "max_position_embeddings": 64,
    "torch_dtype": "bfloat16",
}


def test_a_configuration_beside_the_spec_is_read_by_its_relative_path(tmp_path: Path) -> None:
    (tmp_path / "x_config.json").write_text(json.dumps(CONFIG))
    beside = {"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
    (tmp_path / "x_hf_quant_config.json").write_text(json.dumps(beside))
    facts = find(Model(id="org/name", config="./x_config.json"), tmp_path)
    assert facts.hidden_size == 8
    assert facts.quantization is not None
    assert facts.quantization.method == "modelopt"
    assert facts.source == str(tmp_path / "x_config.json")


def test_a_local_folder_gives_exact_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    write(folder / "model.safetensors", {"a": entry("BF16", [4, 4], 0, 32)}, 32)
    for model in (Model(id="./checkpoint"), Model(id=str(folder)), Model(id="o/n", config="checkpoint")):
        facts = find(model, tmp_path)
        assert facts.tensor_bytes == 32


def test_a_folder_without_weights_still_gives_facts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert find(Model(id="./."), tmp_path).tensor_bytes is None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.json", None, "no model configuration at"),
        ("broken.json", "{", "no JSON"),
        ("list.json", "[1]", "an object was expected"),
        ("deep.json", "[" * 200_000, "no JSON"),
        ("binary.json", "\x00\x01", "no JSON"),
        ("empty.json", "", "no JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_to_be(
    tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=said):
        find(Model(id="org/name", config=name), tmp_path)


def test_a_folder_that_is_no_checkpoint_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no config\.json"):
        find(Model(id="./"), tmp_path)
    (tmp_path / "params.json").write_text("{}")
    with pytest.raises(SourceError, match="Mistral's own format"):
        find(Model(id="./"), tmp_path)
