"""Parameters against transformers' own classes, and against names and published figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from servespec.models import facts_from_config, find
from servespec.models.facts import Part
from servespec.spec.model import Model

DATA = Path(__file__).parents[3] / "data" / "models"
ROWS: list[dict[str, Any]] = json.loads((DATA / "transformers.json").read_text())["rows"]


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['config']['architectures'][0]}-{len(row['config']) - 2}"
)
def test_a_family_has_as_many_parameters_as_the_class_of_transformers(row: dict[str, Any]) -> None:
    facts = facts_from_config(row["config"], id="test", source="test")
    assert facts.parameters == row["parameters"]


# Figures of model cards and technical reports, in billions; MTP layers left out where they say so.
@pytest.mark.parametrize(
    ("model", "billions", "drafts"),
    [
        ("deepseek-ai/DeepSeek-V3", 671.0, False),
        ("deepseek-ai/DeepSeek-V2-Lite", 15.7, True),
        ("deepseek-ai/DeepSeek-V4-Flash", 284.0, False),
        ("deepseek-ai/DeepSeek-V4-Pro", 1600.0, True),
        ("zai-org/GLM-5", 744.0, False),
        ("moonshotai/Kimi-K2-Instruct", 1026.0, True),
        ("MiniMaxAI/MiniMax-M2.5", 229.0, True),
        ("XiaomiMiMo/MiMo-V2-Flash", 309.0, True),
        ("XiaomiMiMo/MiMo-7B-Base", 7.83, True),
        ("openai/gpt-oss-20b", 20.9, True),
        ("openai/gpt-oss-120b", 116.8, True),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 109.0, True),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", 401.0, True),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", 480.0, True),
        ("Qwen/Qwen3-235B-A22B", 235.0, True),
        ("Qwen/Qwen3-VL-235B-A22B-Instruct", 235.7, True),
        ("Qwen/Qwen3.5-397B-A17B", 397.0, False),
        ("Qwen/Qwen3.5-122B-A10B", 122.0, False),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1", 49.9, True),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 31.6, True),
        ("nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16", 550.0, False),
        ("nvidia/Nemotron-H-56B-Base-8K", 56.3, True),
        ("google/gemma-4-26B-A4B", 25.8, True),
        ("microsoft/phi-4", 14.7, True),
        ("stepfun-ai/Step-3.7-Flash", 196.0, False),
    ],
)
def test_counts_lie_within_one_percent_of_the_published_figure(
    model: str, billions: float, drafts: bool
) -> None:
    facts = find(Model(id=model), Path())
    counted = sum(
        group.elements * group.count for group in facts.tensors if drafts or group.part is not Part.mtp
    )
    assert counted / 1e9 == pytest.approx(billions, rel=0.01)


def test_an_eagle3_head_reads_three_layers_and_a_first_layer_of_twice_the_width() -> None:
    config = {
        "architectures": ["LlamaForCausalLMEagle3"],
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 1000,
        "draft_vocab_size": 100,
    }
    shapes = {
        group.name: group.shape for group in facts_from_config(config, id="draft", source="test").tensors
    }
    assert shapes["fc.weight"] == (64, 192)
    assert shapes["layers.{layer}.self_attn.q_proj.weight"] == (64, 128)
    assert shapes["layers.{layer}.self_attn.o_proj.weight"] == (64, 64)
    assert shapes["lm_head.weight"] == (100, 64)


INTERN_VIT = {
    "model_type": "intern_vit_6b",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 448,
    "patch_size": 14,
    "qkv_bias": True,
}
LANGUAGE = {
    "InternVL3-8B": {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 151674,
        "tie_word_embeddings": False,
    },
    "InternVL2_5-8B": {
        "architectures": ["InternLM2ForCausalLM"],
        "model_type": "internlm2",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 92553,
        "tie_word_embeddings": False,
    },
}


@pytest.mark.parametrize(
    ("name", "published"), [("InternVL3-8B", 7_944_373_760), ("InternVL2_5-8B", 8_075_365_376)]
)
def test_internvl_is_its_language_model_behind_its_tower(name: str, published: int) -> None:
    config = {
        "architectures": ["InternVLChatModel"],
        "model_type": "internvl_chat",
        "llm_config": LANGUAGE[name],
        "vision_config": INTERN_VIT,
        "torch_dtype": "bfloat16",
    }
    facts = facts_from_config(config, id=name, source="test")
    assert facts.parameters == published
    assert facts.vision is not None
    assert facts.vision.tokens_per_image == 256
