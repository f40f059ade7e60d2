"""Pixtral's vision transformer and Mistral 3's projector (vLLM 0.32.0 models/pixtral.py, mistral3.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families.blocks import Groups, linear, norm, parameter


def tensors(config: Config, prefix: str) -> Groups:
    """A tower whose tensors begin with ``prefix``: Llama's blocks without biases."""
    width = config.size("hidden_size")
    intermediate = config.size("intermediate_size")
    heads = config.size("num_attention_heads")
    head_dim = config.optional("head_dim") or width // heads
    patch = config.size("patch_size")
    count = config.layers
    block = f"{prefix}.transformer.layers.{{block}}"
    part = Part.vision
    inner = heads * head_dim
    groups: Groups = (
        *parameter(
            f"{prefix}.patch_conv.weight",
            (width, config.size("num_channels", default=3), patch, patch),
            part=part,
            kind=TensorKind.conv,
        ),
        *norm(f"{prefix}.ln_pre", width, part=part),
        *norm(f"{block}.attention_norm", width, part=part, copies=count),
        *norm(f"{block}.ffn_norm", width, part=part, copies=count),
    )
    for name in ("q_proj", "k_proj", "v_proj"):
        groups += linear(
            f"{block}.attention.{name}", inner, width, (), Split.heads, heads=heads, copies=count, part=part
        )
    groups += linear(f"{block}.attention.o_proj", width, inner, (), Split.columns, copies=count, part=part)
    for name in ("gate_proj", "up_proj"):
        groups += linear(
            f"{block}.feed_forward.{name}", intermediate, width, (), Split.rows, copies=count, part=part
        )
    return (
        *groups,
        *linear(
            f"{block}.feed_forward.down_proj", width, intermediate, (), Split.columns, copies=count, part=part
        ),
    )


def mistral3_projector(config: Config, width: int, text_hidden: int, prefix: str) -> Groups:
    """Norm, patch merger and two linear layers; ``config`` is the whole configuration."""
    merge = config.size("spatial_merge_size", default=2)
    features = config.raw("vision_feature_layer")
    layers = len(features) if isinstance(features, list) else 1
    bias = config.flag("multimodal_projector_bias")
    part = Part.projector
    return (
        *norm(f"{prefix}.norm", width, part=part),
        *linear(f"{prefix}.patch_merger.merging_layer", width, width * merge * merge, (), part=part),
        *linear(f"{prefix}.linear_1", text_hidden, width * layers, (), Split.rows, bias=bias, part=part),
        *linear(f"{prefix}.linear_2", text_hidden, text_hidden, (), Split.columns, bias=bias, part=part),
    )


def facts(config: Config, merge: int) -> Vision:
    """What the profile run needs to know of the tower."""
    image, patch = config.size("image_size"), config.size("patch_size")
    return Vision(
        hidden_size=config.size("hidden_size"),
        intermediate_size=config.size("intermediate_size"),
        layers=config.layers,
        heads=config.size("num_attention_heads"),
        patch_size=patch,
        image_size=image,
        tokens_per_image=(image // (patch * merge)) ** 2,
        spatial_merge=merge,
    )
