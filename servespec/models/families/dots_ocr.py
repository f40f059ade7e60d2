"""dots.ocr: a Qwen2 decoder and a vision tower of Llama-like blocks (vLLM 0.32.0 models/dots_ocr.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    attention,
    linear,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("DotsOCRForCausalLM",)
MODEL_TYPES = ("dots_ocr",)
PART = Part.vision


def tower(config: Config, text_hidden: int) -> Groups:
    """Patches, blocks with RMS norms, and the merger."""
    width, intermediate = config.size("embed_dim"), config.size("intermediate_size")
    heads, count = config.size("num_attention_heads"), config.layers
    patch = config.size("patch_size")
    bias = config.flag("use_bias")
    merged = width * config.size("spatial_merge_size", default=2) ** 2
    block = "vision_tower.blocks.{block}"
    groups: Groups = (
        *parameter(
            "vision_tower.patch_embed.patchifier.proj.weight",
            (width, config.size("num_channels", default=3), patch, patch),
            part=PART,
            kind=TensorKind.conv,
        ),
        *parameter(
            "vision_tower.patch_embed.patchifier.proj.bias", (width,), part=PART, kind=TensorKind.bias
        ),
        *norm("vision_tower.patch_embed.patchifier.norm", width, part=PART),
        *norm(f"{block}.norm1", width, part=PART, copies=count),
        *norm(f"{block}.norm2", width, part=PART, copies=count),
        *linear(
            f"{block}.attn.qkv",
            3 * width,
            width,
            (),
            Split.heads,
            bias=bias,
            heads=3 * heads,
            copies=count,
            part=PART,
        ),
        *linear(f"{block}.attn.proj", width, width, (), Split.columns, bias=bias, copies=count, part=PART),
        *linear(f"{block}.mlp.fc1", intermediate, width, (), Split.rows, bias=bias, copies=count, part=PART),
        *linear(f"{block}.mlp.fc3", intermediate, width, (), Split.rows, bias=bias, copies=count, part=PART),
        *linear(
            f"{block}.mlp.fc2", width, intermediate, (), Split.columns, bias=bias, copies=count, part=PART
        ),
        *norm("vision_tower.merger.ln_q", width, bias=True, part=PART),
        *linear("vision_tower.merger.mlp.0", merged, merged, (), Split.rows, bias=True, part=PART),
        *linear("vision_tower.merger.mlp.2", text_hidden, merged, (), Split.columns, bias=True, part=PART),
    )
    if config.flag("post_norm", default=True):
        groups += norm("vision_tower.post_trunk_norm", width, part=PART)
    return groups


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    block = "model.layers.{layer}"
    groups: Groups = (
        *llama.frame(size, tied=config.tied),
        *attention(f"{block}.self_attn", size, layers, bias=True),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
    )
    vision = config.sub("vision_config")
    facts = None
    if vision is not None:
        groups += tower(vision, size.hidden)
        facts = Vision(
            hidden_size=vision.size("embed_dim"),
            intermediate_size=vision.size("intermediate_size"),
            layers=vision.layers,
            heads=vision.size("num_attention_heads"),
            patch_size=vision.size("patch_size"),
            spatial_merge=vision.size("spatial_merge_size", default=2),
        )
    return Architecture(
        family="dots_ocr",
        size=size,
        tensors=groups,
        kv=(full_attention(size, layers),),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        vision=facts,
    )
