"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL: a Qwen decoder and a vision tower (vLLM 0.32.0 models/qwen*_vl*.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.facts import RopeTable
from servespec.models.families import llama, qwen_moe
from servespec.models.families.architecture import Architecture
from servespec.models.families.towers import qwen

ARCHITECTURES = (
    "Qwen2VLForConditionalGeneration",
    "Qwen2_5_VLForConditionalGeneration",
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLMoeForConditionalGeneration",
)
MROPE_SPAN = 4  # vllm layers/rotary_embedding/mrope.py, cache_max_position_num
MODEL_TYPES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    third = config.model_type.startswith("qwen3")
    model = "model.language_model" if third else "model"
    text = qwen_moe.text_decoder if config.language.raw("num_experts") else llama.text_decoder
    decoder = text(config, model, "lm_head")
    tower = config.sub("vision_config")
    if tower is None:
        return replace(decoder, family="qwen_vl")
    prefix = "model.visual" if third else "visual"
    return replace(
        decoder,
        family="qwen_vl",
        rope=tuple(_for_images(table) for table in decoder.rope),
        tensors=(*decoder.tensors, *qwen.tensors(tower, decoder.size.hidden, prefix)),
        vision=qwen.facts(tower),
        extra={**decoder.extra, "deepstack_layers": len(tower.items("deepstack_visual_indexes"))},
    )


def _for_images(table: RopeTable) -> RopeTable:
    """Four times the positions, also where a copy of the configuration leaves mrope_section out: every published
    checkpoint has it (vllm pull request 34051: 4.24 GiB for Qwen3-VL-2B, 0.19 of them the longer table)."""
    return (
        table
        if table.kind == "mrope"
        else replace(table, positions=table.positions * MROPE_SPAN, kind="mrope")
    )
