"""GLM-4.1V and GLM-4.5V: GLM's decoders with a vision tower (vLLM 0.32.0 models/glm4_1v.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families import glm4
from servespec.models.families.architecture import Architecture
from servespec.models.families.blocks import Groups, linear, norm, parameter

ARCHITECTURES = ("Glm4vForConditionalGeneration", "Glm4vMoeForConditionalGeneration")
MODEL_TYPES = ("glm4v", "glm4v_moe")
PART = Part.vision


def tower(config: Config, prefix: str) -> Groups:
    """Patches, blocks with RMS norms and gated feed-forward parts, a convolution that merges, a projector."""
    width, out = config.size("hidden_size"), config.size("out_hidden_size")
    # the blocks are as wide inside as the decoder, the merger as ``intermediate_size`` says
    inner, merged = out, config.size("intermediate_size")
    heads, count = config.size("num_heads"), config.size("depth", most=4096)
    patch, frames = config.size("patch_size"), config.size("temporal_patch_size", default=2)
    channels, merge = config.size("in_channels", default=3), config.size("spatial_merge_size", default=2)
    bias = config.flag("attention_bias")
    patches = (config.size("image_size") // patch) ** 2
    block = f"{prefix}.blocks.{{block}}"
    qkv = linear(
        f"{block}.attn.qkv",
        3 * width,
        width,
        (),
        Split.heads,
        bias=bias,
        heads=3 * heads,
        copies=count,
        part=PART,
    )
    groups: Groups = (
        *parameter(
            f"{prefix}.patch_embed.proj.weight",
            (width, channels, frames, patch, patch),
            part=PART,
            kind=TensorKind.conv,
        ),
        *parameter(f"{prefix}.patch_embed.proj.bias", (width,), part=PART, kind=TensorKind.bias),
        *parameter(
            f"{prefix}.embeddings.position_embedding.weight",
            (patches, width),
            part=PART,
            kind=TensorKind.embedding,
        ),
        *norm(f"{prefix}.post_conv_layernorm", width, part=PART),
        *norm(f"{prefix}.post_layernorm", width, part=PART),
        *norm(f"{block}.norm1", width, copies=count, part=PART),
        *norm(f"{block}.norm2", width, copies=count, part=PART),
        *qkv,
        *linear(f"{block}.attn.proj", width, width, (), Split.columns, copies=count, part=PART),
        *linear(f"{block}.mlp.gate_proj", inner, width, (), Split.rows, copies=count, part=PART),
        *linear(f"{block}.mlp.up_proj", inner, width, (), Split.rows, copies=count, part=PART),
        *linear(f"{block}.mlp.down_proj", width, inner, (), Split.columns, copies=count, part=PART),
        *parameter(
            f"{prefix}.downsample.weight", (out, width, merge, merge), part=PART, kind=TensorKind.conv
        ),
        *parameter(f"{prefix}.downsample.bias", (out,), part=PART, kind=TensorKind.bias),
        *linear(f"{prefix}.merger.proj", out, out, (), part=PART),
        *norm(f"{prefix}.merger.post_projection_norm", out, bias=True, part=PART),
        *linear(f"{prefix}.merger.gate_proj", merged, out, (), Split.rows, part=PART),
        *linear(f"{prefix}.merger.up_proj", merged, out, (), Split.rows, part=PART),
        *linear(f"{prefix}.merger.down_proj", out, merged, (), Split.columns, part=PART),
    )
    return groups


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    decoder = glm4.text_decoder(config, "model.language_model")
    vision = config.sub("vision_config")
    if vision is None:
        return replace(decoder, family="glm4v")
    return replace(
        decoder,
        family="glm4v",
        tensors=(*decoder.tensors, *tower(vision, "model.visual")),
        vision=Vision(
            hidden_size=vision.size("hidden_size"),
            intermediate_size=vision.size("out_hidden_size"),
            layers=vision.size("depth"),
            heads=vision.size("num_heads"),
            patch_size=vision.size("patch_size"),
            image_size=vision.size("image_size"),
            spatial_merge=vision.size("spatial_merge_size", default=2),
        ),
    )
