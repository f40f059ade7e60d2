"""Llama 3.2 Vision: cross-attention layers that read a vision tower (transformers 5.19.0 modeling_mllama.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import KVKind, KVLayers, Part, Split, Stage, TensorKind, Vision
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    attention,
    embedding,
    linear,
    lm_head,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("MllamaForConditionalGeneration",)
MODEL_TYPES = ("mllama",)

EXTRA_TOKENS = 8  # rows of the embedding beyond the vocabulary (MllamaTextModel)
ASPECT_RATIOS = 8  # of up to four tiles (MllamaVisionConfig, where the file lists none)
PART = Part.vision


def transformer(prefix: str, width: int, intermediate: int, heads: int, count: int, *, gated: bool) -> Groups:
    """The blocks of the tower; the global ones have gates."""
    groups: Groups = ()
    block = f"{prefix}.layers.{{block}}"
    for name in ("q_proj", "k_proj", "v_proj"):
        groups += linear(
            f"{block}.self_attn.{name}", width, width, (), Split.heads, heads=heads, copies=count, part=PART
        )
    groups += linear(f"{block}.self_attn.o_proj", width, width, (), Split.columns, copies=count, part=PART)
    groups += linear(
        f"{block}.mlp.fc1", intermediate, width, (), Split.rows, bias=True, copies=count, part=PART
    )
    groups += linear(
        f"{block}.mlp.fc2", width, intermediate, (), Split.columns, bias=True, copies=count, part=PART
    )
    for name in ("input_layernorm", "post_attention_layernorm"):
        groups += norm(f"{block}.{name}", width, bias=True, copies=count, part=PART)
    if gated:
        for name in ("gate_attn", "gate_ffn"):
            groups += parameter(f"{block}.{name}", (1,), copies=count, part=PART)
    return groups


def tower(config: Config, prefix: str) -> Groups:
    """The vision tower: tiles of patches, local blocks, global blocks."""
    width, intermediate = config.size("hidden_size"), config.size("intermediate_size")
    heads = config.size("attention_heads", "num_attention_heads")
    patch, tiles = config.size("patch_size"), config.size("max_num_tiles")
    patches = (config.size("image_size") // patch) ** 2 + 1
    ratios = (len(config.items("supported_aspect_ratios")) or ASPECT_RATIOS) + 1
    channels = config.size("num_channels", default=3)
    position = f"{prefix}.gated_positional_embedding"
    groups: Groups = (
        *parameter(
            f"{prefix}.patch_embedding.weight",
            (width, channels, patch, patch),
            part=PART,
            kind=TensorKind.conv,
        ),
        *parameter(f"{prefix}.class_embedding", (width,), part=PART),
        *parameter(f"{position}.gate", (1,), part=PART),
        *parameter(f"{position}.embedding", (patches, width), part=PART, kind=TensorKind.embedding),
        *parameter(
            f"{position}.tile_embedding.weight",
            (ratios, tiles * patches * width),
            part=PART,
            kind=TensorKind.embedding,
        ),
        *norm(f"{prefix}.layernorm_pre", width, bias=True, part=PART),
        *norm(f"{prefix}.layernorm_post", width, bias=True, part=PART),
    )
    for place in ("pre", "post"):
        own = f"{prefix}.{place}_tile_positional_embedding"
        groups += parameter(f"{own}.gate", (1,), part=PART)
        groups += parameter(
            f"{own}.embedding.weight", (ratios, tiles * width), part=PART, kind=TensorKind.embedding
        )
    local, final = config.size("num_hidden_layers", most=4096), config.size("num_global_layers", most=4096)
    return (
        *groups,
        *transformer(f"{prefix}.transformer", width, intermediate, heads, local, gated=False),
        *transformer(f"{prefix}.global_transformer", width, intermediate, heads, final, gated=True),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    vision = config.sub("vision_config")
    size = Dimensions.read(text)
    crossing = tuple(
        sorted(layer for layer in text.integers("cross_attention_layers") if 0 <= layer < size.layers)
    )
    plain = tuple(layer for layer in size.every_layer if layer not in set(crossing))
    model = "language_model.model"
    block = f"{model}.layers.{{layer}}"
    tied = config.tied
    hidden = size.hidden
    groups: Groups = (
        *embedding(f"{model}.embed_tokens", size.vocab + EXTRA_TOKENS, hidden),
        *norm(f"{model}.norm", hidden, stage=Stage.last),
        *lm_head("language_model.lm_head", size.vocab, hidden, tied=tied),
        *attention(f"{block}.self_attn", size, plain),
        *attention(f"{block}.cross_attn", size, crossing),
        *norms((f"{block}.cross_attn.q_norm", f"{block}.cross_attn.k_norm"), size.head_dim, crossing),
        *parameter(f"{block}.cross_attn_attn_gate", (1,), crossing),
        *parameter(f"{block}.cross_attn_mlp_gate", (1,), crossing),
        *mlp(f"{block}.mlp", hidden, size.intermediate, size.every_layer),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), hidden, size.every_layer),
    )
    facts = None
    if vision is not None:
        out = vision.size("vision_output_dim")
        groups += tower(vision, "vision_model")
        groups += linear("multi_modal_projector", hidden, out, (), bias=True, part=Part.projector)
        patch, image = vision.size("patch_size"), vision.size("image_size")
        facts = Vision(
            hidden_size=vision.size("hidden_size"),
            intermediate_size=vision.size("intermediate_size"),
            layers=vision.size("num_hidden_layers") + vision.size("num_global_layers"),
            heads=vision.size("attention_heads", "num_attention_heads"),
            patch_size=patch,
            image_size=image,
            tokens_per_image=((image // patch) ** 2 + 1) * vision.size("max_num_tiles"),
        )
    return Architecture(
        family="mllama",
        size=size,
        tensors=groups,
        kv=(
            full_attention(size, plain),
            KVLayers(
                kind=KVKind.cross,
                layers=crossing,
                kv_heads=size.kv_heads,
                key_dim=size.head_dim,
                value_dim=size.head_dim,
            ),
        ),
        rope=rope_tables(text, size.head_dim),
        tied_embeddings=tied,
        vision=facts,
        is_encoder_decoder=True,
    )
