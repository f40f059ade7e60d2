"""Kimi-VL and Kimi-K2.5: DeepSeek's decoder with Moonshot's vision tower (vLLM models/kimi_vl.py, kimi_k25.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.families import deepseek
from servespec.models.families.architecture import Architecture
from servespec.models.families.towers import moonvit

ARCHITECTURES = ("KimiVLForConditionalGeneration", "KimiK25ForConditionalGeneration")
MODEL_TYPES = ("kimi_vl", "kimi_k25")

PROJECTORS = {"kimi_vl": "multi_modal_projector"}


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    decoder = deepseek.text_decoder(config, "language_model.model", "language_model.lm_head")
    tower = config.sub("vision_config")
    if tower is None:
        return replace(decoder, family="kimi_vl")
    projector = PROJECTORS.get(config.model_type, "mm_projector")
    return replace(
        decoder,
        family="kimi_vl",
        tensors=(*decoder.tensors, *moonvit.tensors(tower, decoder.size.hidden, "vision_tower", projector)),
        vision=moonvit.facts(tower),
    )
