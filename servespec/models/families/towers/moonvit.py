"""Moonshot's MoonViT and its projector (vLLM 0.32.0 models/moonvit.py, kimi_k25_vit.py, kimi_vl.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families.blocks import Groups, linear, norm, parameter


def _sizes(config: Config) -> tuple[int, int, int, int]:
    """Width, intermediate width, blocks and heads: K2.5's names begin with ``vt_``."""
    return (
        config.size("vt_hidden_size", "hidden_size", default=1152),
        config.size("vt_intermediate_size", "intermediate_size", default=4304),
        config.size("vt_num_hidden_layers", "num_hidden_layers", default=27, most=4096),
        config.size("vt_num_attention_heads", "num_attention_heads", default=16),
    )


def _merge(config: Config) -> int:
    kernel = config.integers("merge_kernel_size") or (2, 2)
    return kernel[0] * kernel[-1]


def tensors(config: Config, text_hidden: int, prefix: str, projector: str) -> Groups:
    """Tower and projector; ``prefix`` and ``projector`` are what their tensors begin with."""
    width, intermediate, count, heads = _sizes(config)
    qkv = config.size("qkv_hidden_size", default=width)
    patch = config.size("patch_size", default=14)
    rms = config.text("norm_type", default="layernorm") == "rmsnorm"
    attention_bias = config.flag("attn_bias", default=True)
    linear_bias = config.flag("linear_bias", default=True)
    height = config.size("init_pos_emb_height", default=64)
    wide = config.size("init_pos_emb_width", default=64)
    block = f"{prefix}.encoder.blocks.{{block}}"
    part = Part.vision
    groups: Groups = (
        *parameter(
            f"{prefix}.patch_embed.proj.weight", (width, 3, patch, patch), part=part, kind=TensorKind.conv
        ),
        *parameter(
            f"{prefix}.patch_embed.pos_emb.weight",
            (height, wide, width),
            part=part,
            kind=TensorKind.embedding,
        ),
        *norm(f"{block}.norm0", width, bias=not rms, part=part, copies=count),
        *norm(f"{block}.norm1", width, bias=not rms, part=part, copies=count),
        *linear(
            f"{block}.wqkv",
            3 * qkv,
            width,
            (),
            Split.heads,
            bias=attention_bias,
            heads=3 * heads,
            copies=count,
            part=part,
        ),
        *linear(f"{block}.wo", width, qkv, (), Split.columns, bias=attention_bias, copies=count, part=part),
        *linear(
            f"{block}.mlp.fc0", intermediate, width, (), Split.rows, bias=linear_bias, copies=count, part=part
        ),
        *linear(
            f"{block}.mlp.fc1",
            width,
            intermediate,
            (),
            Split.columns,
            bias=linear_bias,
            copies=count,
            part=part,
        ),
        *norm(f"{prefix}.encoder.final_layernorm", width, bias=not rms, part=part),
    )
    if config.flag("patch_embed_proj_bias", default=True):
        groups += parameter(f"{prefix}.patch_embed.proj.bias", (width,), part=part, kind=TensorKind.bias)
    merged = width * _merge(config)
    second = config.text("mm_projector_type") == "patchmergerv2"
    groups += (
        *linear(f"{projector}.linear_1", merged, merged, (), bias=not second, part=Part.projector),
        *linear(f"{projector}.linear_2", text_hidden, merged, (), bias=not second, part=Part.projector),
    )
    if second:
        return (*groups, *norm(f"{projector}.post_norm", text_hidden, part=Part.projector))
    return (*groups, *norm(f"{projector}.pre_norm", width, bias=True, part=Part.projector))


def facts(config: Config) -> Vision:
    """What the profile run needs to know of the tower."""
    width, intermediate, count, heads = _sizes(config)
    return Vision(
        hidden_size=width,
        intermediate_size=intermediate,
        layers=count,
        heads=heads,
        patch_size=config.size("patch_size", default=14),
        spatial_merge=(config.integers("merge_kernel_size") or (2, 2))[0],
    )
