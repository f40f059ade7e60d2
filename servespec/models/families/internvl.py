"""InternVL: any decoder behind InternViT (vLLM 0.32.0 models/internvl.py, intern_vit.py).

Two layouts: the authors' own (``InternVLChatModel``, ``llm_config``) and that of transformers.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.errors import UnmodelledError
from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families import family_of
from servespec.models.families.architecture import Architecture
from servespec.models.families.blocks import Groups, linear, norm, parameter

ARCHITECTURES = ("InternVLChatModel",)
MODEL_TYPES = ("internvl_chat",)
PART = Part.vision


def tower(config: Config, prefix: str) -> Groups:
    """InternViT: layer scales, a class token, norms over queries and keys in the large one."""
    width, intermediate = config.size("hidden_size"), config.size("intermediate_size")
    heads, count = config.size("num_attention_heads"), config.layers
    patch = config.size("patch_size")
    patches = (config.size("image_size") // patch) ** 2 + 1
    channels = config.size("num_channels", default=3)
    biased = config.text("norm_type", default="layer_norm") == "layer_norm"
    block = f"{prefix}.encoder.layers.{{block}}"
    embeddings = f"{prefix}.embeddings"
    qkv = linear(
        f"{block}.attn.qkv",
        3 * width,
        width,
        (),
        Split.heads,
        bias=config.flag("qkv_bias"),
        heads=3 * heads,
        copies=count,
        part=PART,
    )
    groups: Groups = (
        *parameter(f"{embeddings}.class_embedding", (1, 1, width), part=PART),
        *parameter(
            f"{embeddings}.patch_embedding.weight",
            (width, channels, patch, patch),
            part=PART,
            kind=TensorKind.conv,
        ),
        *parameter(f"{embeddings}.patch_embedding.bias", (width,), part=PART, kind=TensorKind.bias),
        *parameter(
            f"{embeddings}.position_embedding", (1, patches, width), part=PART, kind=TensorKind.embedding
        ),
        *qkv,
        *linear(f"{block}.attn.proj", width, width, (), Split.columns, bias=True, copies=count, part=PART),
        *linear(f"{block}.mlp.fc1", intermediate, width, (), Split.rows, bias=True, copies=count, part=PART),
        *linear(
            f"{block}.mlp.fc2", width, intermediate, (), Split.columns, bias=True, copies=count, part=PART
        ),
    )
    for name in ("norm1", "norm2"):
        groups += norm(f"{block}.{name}", width, bias=biased, copies=count, part=PART)
    for name in ("ls1", "ls2"):
        groups += parameter(f"{block}.{name}", (width,), copies=count, part=PART)
    if config.flag("qk_normalization"):
        for name in ("q_norm", "k_norm"):
            groups += norm(f"{block}.attn.{name}", width, copies=count, part=PART)
    return groups


def projector(config: Config, width: int, hidden: int) -> Groups:
    """A norm and two linear layers over patches that are merged by ``downsample_ratio``."""
    ratio = config.number("downsample_ratio", default=0.5)
    if not 0 < ratio <= 1:
        raise config.wrong(("downsample_ratio",), ratio, "a number above 0 and at most 1")
    merged = width * round(1 / ratio) ** 2
    return (
        *norm("mlp1.0", merged, bias=True, part=Part.projector),
        *linear("mlp1.1", hidden, merged, (), bias=True, part=Part.projector),
        *linear("mlp1.3", hidden, hidden, (), bias=True, part=Part.projector),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    language, vision = config.language, config.sub("vision_config")
    if language is config or vision is None:
        raise UnmodelledError("InternVL without llm_config or vision_config")
    name, family = family_of(language)
    if name in ARCHITECTURES:
        raise UnmodelledError("InternVL inside InternVL")
    decoder = family.build(language)
    width = vision.size("hidden_size")
    own = tuple(replace(group, name=f"language_model.{group.name}") for group in decoder.tensors)
    image, patch = vision.size("image_size"), vision.size("patch_size")
    ratio = config.number("downsample_ratio", default=0.5)
    return replace(
        decoder,
        family="internvl",
        tensors=(*own, *tower(vision, "vision_model"), *projector(config, width, decoder.size.hidden)),
        vision=Vision(
            hidden_size=width,
            intermediate_size=vision.size("intermediate_size"),
            layers=vision.layers,
            heads=vision.size("num_attention_heads"),
            patch_size=patch,
            image_size=image,
            tokens_per_image=int((image // patch) ** 2 * ratio**2),
            spatial_merge=round(1 / ratio),
        ),
    )
