"""SigLIP and CLIP vision transformers (vLLM 0.32.0 models/siglip.py, clip.py)."""

from __future__ import annotations

from typing import TypedDict

from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families.blocks import Groups, linear, norm, parameter


class Own(TypedDict):
    """What all linear layers of a block have in common."""

    bias: bool
    copies: int
    part: Part


def blocks(
    prefix: str,
    width: int,
    intermediate: int,
    heads: int,
    count: int,
    *,
    names: tuple[str, str, str, str] = ("q_proj", "k_proj", "v_proj", "out_proj"),
    norms: tuple[str, str] = ("layer_norm1", "layer_norm2"),
) -> Groups:
    """``count`` transformer blocks with biases everywhere; ``prefix`` contains ``{block}``."""
    own: Own = {"bias": True, "copies": count, "part": Part.vision}
    groups = [
        *(
            linear(f"{prefix}.self_attn.{name}", width, width, (), Split.heads, heads=heads, **own)
            for name in names[:3]
        ),
        linear(f"{prefix}.self_attn.{names[3]}", width, width, (), Split.columns, **own),
        linear(f"{prefix}.mlp.fc1", intermediate, width, (), Split.rows, **own),
        linear(f"{prefix}.mlp.fc2", width, intermediate, (), Split.columns, **own),
    ]
    groups += [norm(f"{prefix}.{name}", width, bias=True, part=Part.vision, copies=count) for name in norms]
    return tuple(group for part in groups for group in part)


def tensors(config: Config, prefix: str, *, head: bool = False) -> Groups:
    """A tower whose tensors begin with ``prefix``; ``head`` is SigLIP's attention pooling."""
    width = config.size("hidden_size")
    intermediate = config.size("intermediate_size")
    count = config.layers
    patch = config.size("patch_size")
    side = config.size("image_size") // patch
    clip = "clip" in config.model_type
    embeddings = f"{prefix}.embeddings"
    channels = config.size("num_channels", default=3)
    groups = (
        *parameter(
            f"{embeddings}.patch_embedding.weight",
            (width, channels, patch, patch),
            part=Part.vision,
            kind=TensorKind.conv,
        ),
        *parameter(
            f"{embeddings}.position_embedding.weight",
            (side * side + (1 if clip else 0), width),
            part=Part.vision,
            kind=TensorKind.embedding,
        ),
        *blocks(
            f"{prefix}.encoder.layers.{{block}}",
            width,
            intermediate,
            config.size("num_attention_heads"),
            count,
        ),
    )
    if clip:
        return (
            *groups,
            *parameter(f"{embeddings}.class_embedding", (width,), part=Part.vision),
            *norm(f"{prefix}.pre_layrnorm", width, bias=True, part=Part.vision),
            *norm(f"{prefix}.post_layernorm", width, bias=True, part=Part.vision),
        )
    groups += (
        *parameter(f"{embeddings}.patch_embedding.bias", (width,), part=Part.vision, kind=TensorKind.bias),
        *norm(f"{prefix}.post_layernorm", width, bias=True, part=Part.vision),
    )
    if head:
        pooled = f"{prefix}.head"
        groups += (
            *parameter(f"{pooled}.probe", (1, 1, width), part=Part.vision),
            *parameter(f"{pooled}.attention.in_proj_weight", (3 * width, width), part=Part.vision),
            *parameter(
                f"{pooled}.attention.in_proj_bias", (3 * width,), part=Part.vision, kind=TensorKind.bias
            ),
            *linear(f"{pooled}.attention.out_proj", width, width, (), bias=True, part=Part.vision),
            *norm(f"{pooled}.layernorm", width, bias=True, part=Part.vision),
            *linear(f"{pooled}.mlp.fc1", intermediate, width, (), Split.rows, bias=True, part=Part.vision),
            *linear(f"{pooled}.mlp.fc2", width, intermediate, (), Split.columns, bias=True, part=Part.vision),
        )
    return groups


def facts(config: Config, tokens: int | None = None) -> Vision:
    """What the profile run needs to know of the tower."""
    image = config.size("image_size")
    patch = config.size("patch_size")
    return Vision(
        hidden_size=config.size("hidden_size"),
        intermediate_size=config.size("intermediate_size"),
        layers=config.layers,
        heads=config.size("num_attention_heads"),
        patch_size=patch,
        image_size=image,
        tokens_per_image=tokens if tokens is not None else (image // patch) ** 2,
    )
