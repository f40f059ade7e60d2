"""Rope tables and the context that scaling allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from servespec.models import find
from servespec.models.config import Config
from servespec.models.facts import RopeTable
from servespec.models.rope import context_tokens, rope_tables
from servespec.spec.model import Model


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
        ({"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 131072),
        (
            {
                "max_position_embeddings": 32768,
                "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 163840,
                "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
            },
            163840,
        ),
        ({"max_position_embeddings": 8192, "model_max_length": 131072}, 131072),
        ({"seq_length": 32768}, 32768),
        ({}, 2048),
        ({"max_position_embeddings": 8192, "seq_length": 4096}, 4096),
    ],
)
def test_context_follows_the_configuration_as_the_engine_derives_it(
    config: dict[str, Any], tokens: int
) -> None:
    assert context_tokens(Config(config)) == tokens


@pytest.mark.parametrize(
    ("model", "tables"),
    [
        ("meta-llama/Meta-Llama-3.1-8B", {RopeTable(131072, 128, None, "llama3")}),
        (
            "google/gemma-3-27b-it",
            {RopeTable(131072 * 8, 128, None, "linear"), RopeTable(131072, 128, None, "default")},
        ),
        ("deepseek-ai/DeepSeek-V3", {RopeTable(163840, 64, "float32", "deepseek_yarn")}),
        ("openai/gpt-oss-20b", {RopeTable(131072, 64, "float32", "yarn")}),
        ("Qwen/Qwen2-VL-7B-Instruct", {RopeTable(131072, 128, None, "mrope")}),
        ("Qwen/Qwen3-VL-2B-Instruct", {RopeTable(262144 * 4, 128, None, "mrope")}),
        ("moonshotai/Kimi-K3", set()),
    ],
)
def test_tables_are_those_that_the_engine_builds(model: str, tables: set[RopeTable]) -> None:
    assert set(find(Model(id=model), Path()).rope) == tables


def test_long_rope_holds_the_short_table_and_the_long_one() -> None:
    config = Config(
        {
            "max_position_embeddings": 131072,
            "original_max_position_embeddings": 4096,
            "rope_scaling": {
                "type": "longrope",
                "short_factor": [1.0],
                "long_factor": [1.0],
                "original_max_position_embeddings": 4096,
            },
        }
    )
    assert rope_tables(config, 96) == (RopeTable(135168, 96, None, "longrope"),)
