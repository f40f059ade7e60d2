"""The vision towers of Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Qwen3.5 (vLLM 0.32.0 models/qwen2_vl.py and on)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families.blocks import Groups, linear, norm, parameter

PART = Part.vision


def _generation(config: Config) -> str:
    """Which tower it is: by the class, as the configuration names it."""
    if config.model_type.startswith("qwen2_vl"):
        return "qwen2"
    return "qwen2_5" if config.model_type.startswith("qwen2_5") else "qwen3"


def _sizes(config: Config) -> tuple[int, int, int, int]:
    """Width, intermediate width, blocks, heads."""
    if _generation(config) == "qwen2":
        width = config.size("embed_dim")
        intermediate = int(width * config.number("mlp_ratio", default=4.0))
    else:
        width = config.size("hidden_size")
        intermediate = config.size("intermediate_size")
    return width, intermediate, config.size("depth", most=4096), config.size("num_heads")


def _patches(config: Config, prefix: str, width: int) -> Groups:
    patch = config.size("patch_size")
    shape = (
        width,
        config.size("in_channels", "in_chans", default=3),
        config.size("temporal_patch_size", default=2),
        patch,
        patch,
    )
    return parameter(f"{prefix}.patch_embed.proj.weight", shape, part=PART, kind=TensorKind.conv)


def _attention(prefix: str, width: int, heads: int, count: int) -> Groups:
    return (
        *linear(
            f"{prefix}.attn.qkv",
            3 * width,
            width,
            (),
            Split.heads,
            bias=True,
            heads=3 * heads,
            copies=count,
            part=PART,
        ),
        *linear(f"{prefix}.attn.proj", width, width, (), Split.columns, bias=True, copies=count, part=PART),
    )


def _merger(
    prefix: str, names: tuple[str, str, str], merged: int, normed: int, out: int, *, bias: bool
) -> Groups:
    norm_name, first, second = names
    return (
        *norm(f"{prefix}.{norm_name}", normed, bias=bias, part=PART),
        *linear(f"{prefix}.{first}", merged, merged, (), Split.rows, bias=True, part=PART),
        *linear(f"{prefix}.{second}", out, merged, (), Split.columns, bias=True, part=PART),
    )


def tensors(config: Config, text_hidden: int, prefix: str) -> Groups:
    """A tower whose tensors begin with ``prefix``; its merger ends in the language model's width."""
    generation = _generation(config)
    width, intermediate, count, heads = _sizes(config)
    block = f"{prefix}.blocks.{{block}}"
    rms = generation == "qwen2_5"
    groups: Groups = (
        *_patches(config, prefix, width),
        *norm(f"{block}.norm1", width, bias=not rms, part=PART, copies=count),
        *norm(f"{block}.norm2", width, bias=not rms, part=PART, copies=count),
        *_attention(block, width, heads, count),
    )
    wide: tuple[str, ...]
    if generation == "qwen2_5":
        wide, narrow = ("gate_proj", "up_proj"), "down_proj"
    elif generation == "qwen2":
        wide, narrow = ("fc1",), "fc2"
    else:
        wide, narrow = ("linear_fc1",), "linear_fc2"
    for name in wide:
        groups += linear(
            f"{block}.mlp.{name}", intermediate, width, (), Split.rows, bias=True, copies=count, part=PART
        )
    groups += linear(
        f"{block}.mlp.{narrow}", width, intermediate, (), Split.columns, bias=True, copies=count, part=PART
    )
    merged = width * config.size("spatial_merge_size", default=2) ** 2
    if generation != "qwen3":
        key = "hidden_size" if generation == "qwen2" else "out_hidden_size"
        out = config.size(key, default=text_hidden)
        return (
            *groups,
            *_merger(f"{prefix}.merger", ("ln_q", "mlp.0", "mlp.2"), merged, width, out, bias=not rms),
        )
    out = config.size("out_hidden_size", default=text_hidden)
    names = ("norm", "linear_fc1", "linear_fc2")
    groups += (
        *parameter(f"{prefix}.patch_embed.proj.bias", (width,), part=PART, kind=TensorKind.bias),
        *parameter(
            f"{prefix}.pos_embed.weight",
            (config.size("num_position_embeddings"), width),
            part=PART,
            kind=TensorKind.embedding,
        ),
        *_merger(f"{prefix}.merger", names, merged, width, out, bias=True),
    )
    for place, _ in enumerate(config.items("deepstack_visual_indexes")):
        groups += _merger(f"{prefix}.deepstack_merger_list.{place}", names, merged, merged, out, bias=True)
    return groups


LARGEST_IMAGE_TOKENS = 16384
"""Merged patches of the largest image that the published processors let through: 12,845,056 pixels of 28 × 28
(Qwen2-VL, Qwen2.5-VL), 16,777,216 of 32 × 32 (Qwen3-VL, Qwen3.5); "Encoder cache will be initialized with a budget of
16384 tokens" in the logs of all four."""


def facts(config: Config) -> Vision:
    """What the profile run needs to know of the tower."""
    width, intermediate, count, heads = _sizes(config)
    return Vision(
        hidden_size=width,
        intermediate_size=intermediate,
        layers=count,
        heads=heads,
        patch_size=config.size("patch_size"),
        spatial_merge=config.size("spatial_merge_size", default=2),
        temporal_patch=config.size("temporal_patch_size", default=2),
        tokens_per_image=LARGEST_IMAGE_TOKENS,
    )
