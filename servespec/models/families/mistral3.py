"""Mistral Small 3.1 and later: Mistral with Pixtral's tower (vLLM 0.32.0 models/mistral3.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture
from servespec.models.families.towers import pixtral

ARCHITECTURES = ("Mistral3ForConditionalGeneration",)
MODEL_TYPES = ("mistral3",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    decoder = llama.text_decoder(config, "language_model.model", "language_model.lm_head")
    tower = config.sub("vision_config")
    if tower is None:
        return replace(decoder, family="mistral3")
    width = tower.size("hidden_size")
    return replace(
        decoder,
        family="mistral3",
        tensors=(
            *decoder.tensors,
            *pixtral.tensors(tower, "vision_tower"),
            *pixtral.mistral3_projector(config, width, decoder.size.hidden, "multi_modal_projector"),
        ),
        vision=pixtral.facts(tower, config.size("spatial_merge_size", default=2)),
    )
