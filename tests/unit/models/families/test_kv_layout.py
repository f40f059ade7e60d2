"""What layers keep, against what vLLM made of the same configurations."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from servespec.models import facts_from_config, find
from servespec.models.facts import KVKind, Part
from servespec.spec.model import Model

DATA = Path(__file__).parents[3] / "data" / "models"
ROWS: list[dict[str, Any]] = json.loads((DATA / "kv_layout.json").read_text())["rows"]
TYPES = {
    KVKind.full: "FullAttentionSpec",
    KVKind.sliding: "SlidingWindowSpec",
    KVKind.latent: "MLAAttentionSpec",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_layers_keep_what_the_engine_says_they_keep(row: dict[str, Any]) -> None:
    facts = facts_from_config(row["config"], id=row["id"], source="test")
    found: Counter[tuple[str, int, int, int | None]] = Counter()
    for keep in facts.kv:
        found[TYPES[keep.kind], keep.kv_heads, keep.key_dim, keep.window] += len(keep.layers)
    measured: Counter[tuple[str, int, int, int | None]] = Counter()
    for layer in row["layers"]:
        measured[layer["type"], layer["kv_heads"], layer["head_size"], layer["window"]] += layer["layers"]
    assert found == measured


def keeps(model: str) -> dict[tuple[str, str], int]:
    facts = find(Model(id=model), Path())
    found: Counter[tuple[str, str]] = Counter()
    for keep in facts.kv:
        if keep.part is Part.decoder:
            found[keep.kind, keep.state_type] += len(keep.layers)
    return dict(found)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Qwen/Qwen3.5-27B", {("full", ""): 16, ("recurrent", "gdn"): 48}),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", {("full", ""): 6, ("recurrent", "mamba2"): 23}),
        ("moonshotai/Kimi-K3", {("latent", ""): 24, ("recurrent", "kda"): 69}),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", {("full", ""): 12, ("chunked", ""): 36}),
        ("meta-llama/Llama-3.2-11B-Vision", {("full", ""): 32, ("cross", ""): 8}),
        ("google/gemma-3-27b-it", {("full", ""): 10, ("sliding", ""): 52}),
        ("google/gemma-4-E2B", {("full", ""): 3, ("sliding", ""): 12}),
        ("deepseek-ai/DeepSeek-V3.2", {("latent", ""): 61, ("indexer", ""): 61}),
        ("zai-org/GLM-5.2", {("latent", ""): 78, ("indexer", ""): 21}),
        ("XiaomiMiMo/MiMo-V2-Flash", {("full", ""): 9, ("sliding", ""): 39}),
        (
            "deepseek-ai/DeepSeek-V4-Flash",
            {("sliding", ""): 43, ("latent", ""): 41, ("sliding", "compressor"): 62, ("indexer", ""): 21},
        ),
    ],
)
def test_hybrids_keep_something_else_in_each_kind_of_layer(
    model: str, expected: dict[tuple[str, str], int]
) -> None:
    assert keeps(model) == expected


def test_keys_and_values_may_differ_in_width() -> None:
    facts = find(Model(id="XiaomiMiMo/MiMo-V2-Flash"), Path())
    full = next(keep for keep in facts.kv if keep.kind is KVKind.full)
    assert (full.kv_heads, full.key_dim, full.value_dim) == (4, 192, 128)


def test_the_states_of_a_delta_net_are_its_convolution_and_one_matrix_a_head() -> None:
    facts = find(Model(id="Qwen/Qwen3.5-27B"), Path())
    states = next(keep for keep in facts.kv if keep.kind is KVKind.recurrent).states
    assert [state.shape for state in states] == [(3, 10240), (48, 128, 128)]
    assert states[1].dtype == "float32"
