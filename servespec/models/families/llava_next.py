"""LLaVA and LLaVA-NeXT, Granite vision among them (vLLM 0.32.0 models/llava.py, llava_next.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.errors import UnmodelledError
from servespec.models.config import Config
from servespec.models.facts import Part, Split
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture
from servespec.models.families.blocks import Groups, linear, parameter
from servespec.models.families.towers import pixtral, siglip

ARCHITECTURES = ("LlavaForConditionalGeneration", "LlavaNextForConditionalGeneration")
MODEL_TYPES = ("llava", "llava_next")

TEXT = frozenset({"llama", "mistral", "qwen2", "granite"})


def _tower(tower: Config) -> Groups:
    if tower.model_type == "pixtral":
        return pixtral.tensors(tower, "vision_tower")
    if tower.model_type in ("clip_vision_model", "siglip_vision_model"):
        pooled = tower.model_type == "siglip_vision_model" and tower.flag("vision_use_head", default=True)
        return siglip.tensors(tower, "vision_tower.vision_model", head=pooled)
    raise UnmodelledError(f"vision tower {tower.model_type[:40]}")


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    if text.model_type not in TEXT:
        raise UnmodelledError(f"LLaVA with a language model of type {text.model_type[:40]}")
    decoder = llama.text_decoder(config, "language_model.model", "language_model.lm_head")
    tower = config.sub("vision_config")
    if tower is None:
        raise UnmodelledError("LLaVA without a vision tower")
    features = config.raw("vision_feature_layer")
    inputs = tower.size("hidden_size") * (len(features) if isinstance(features, list) else 1)
    hidden = decoder.size.hidden
    bias = config.flag("multimodal_projector_bias", default=True)
    projector = "multi_modal_projector"
    groups: Groups = (
        *_tower(tower),
        *linear(f"{projector}.linear_1", hidden, inputs, (), Split.rows, bias=bias, part=Part.projector),
        *linear(f"{projector}.linear_2", hidden, hidden, (), Split.columns, bias=bias, part=Part.projector),
    )
    if config.model_type == "llava_next":
        groups += parameter("image_newline", (hidden,), part=Part.projector)
    return replace(
        decoder, family="llava_next", tensors=(*decoder.tensors, *groups), vision=siglip.facts(tower)
    )
