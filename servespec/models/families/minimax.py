"""MiniMax M2 (plain attention) and M3 (block-sparse attention with an indexer).

vLLM 0.32.0: models/minimax_m2.py, models/minimax_m3/nvidia/model.py, common/indexer.py, common/vision_tower.py.
"""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import KVKind, KVLayers, MoE, Part, Split, TensorKind, Vision
from servespec.models.families import deepseek, llama
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    experts_mlp,
    linear,
    mlp,
    norm,
    norms,
    parameter,
    router,
)
from servespec.models.families.towers import siglip
from servespec.models.rope import rope_table

ARCHITECTURES = (
    "MiniMaxM2ForCausalLM",
    "MiniMaxM3ForCausalLM",
    "MiniMaxM3SparseForCausalLM",
    "MiniMaxM3SparseForConditionalGeneration",
)
MODEL_TYPES = ("minimax_m2", "minimax_m3", "minimax_m3_vl")


def is_third(config: Config) -> bool:
    """M3 has an indexer and dense first layers."""
    return config.has("sparse_attention_config")


def indexed_layers(config: Config, layers: Layers) -> Layers:
    """The layers with block-sparse attention."""
    own = Config(config.mapping("sparse_attention_config"), path="sparse_attention_config.")
    if not own.flag("use_sparse_attention"):
        return ()
    frequency = own.integers("sparse_attention_freq")
    return tuple(layer for layer, sparse in zip(layers, frequency, strict=False) if sparse)


def projections(config: Config, size: Dimensions, block: str, layers: Layers, indexed: Layers) -> Groups:
    """Attention, its norms (over all heads in M2, over each in M3) and the indexer's projections."""
    third = is_third(config)
    groups = attention(block, size, layers)
    if config.flag("use_qk_norm", default=True):
        for name, heads in (("q_norm", size.heads), ("k_norm", size.kv_heads)):
            if third or config.text("qk_norm_type") == "per_head":
                groups += norm(f"{block}.{name}", size.head_dim, layers)
            else:
                groups += norm(
                    f"{block}.{name}", heads * size.head_dim, layers, split=Split.heads, heads=heads
                )
    if indexed:
        own = Config(config.mapping("sparse_attention_config"), path="sparse_attention_config.")
        heads, dim = own.size("sparse_num_index_heads"), own.size("sparse_index_dim")
        groups += linear(f"{block}.index_q_proj", heads * dim, size.hidden, indexed, Split.heads, heads=heads)
        groups += linear(f"{block}.index_k_proj", dim, size.hidden, indexed)
        groups += norms((f"{block}.index_q_norm", f"{block}.index_k_norm"), dim, indexed)
    return groups


def mixture(config: Config, sparse: Layers) -> MoE:
    """Sizes of the experts: M2 and M3 call their width ``intermediate_size``."""
    width = config.size("intermediate_size")
    shared = config.integer("n_shared_experts", default=0) if is_third(config) else 0
    return MoE(
        experts=config.size("num_local_experts", most=MOST_EXPERTS),
        experts_per_token=config.size("num_experts_per_tok"),
        intermediate_size=width,
        layers=sparse,
        shared_intermediate_size=width * shared,
    )


def tower(config: Config, whole: Config, hidden: int) -> Groups:
    """M3's vision tower: CLIP's blocks with rotary positions, a projector and a patch merger."""
    width, intermediate = config.size("hidden_size"), config.size("intermediate_size")
    patch = config.size("patch_size")
    part = Part.vision
    prefix = "vision_tower.vision_model"
    merging = Config(whole.mapping("img_token_compression_config"), path="img_token_compression_config.")
    merge, frames = (
        merging.size("spatial_merge_size", default=2),
        merging.size("temporal_patch_size", default=2),
    )
    channels = config.size("num_channels", default=3)
    inner = whole.size("projector_hidden_size", default=hidden)
    merged = hidden * merge * merge
    bias = whole.flag("multimodal_projector_bias", default=True)
    return (
        *parameter(
            f"{prefix}.embeddings.patch_embedding.weight",
            (width, channels, frames, patch, patch),
            part=part,
            kind=TensorKind.conv,
        ),
        *norm(f"{prefix}.pre_layrnorm", width, bias=True, part=part),
        *siglip.blocks(
            f"{prefix}.encoder.layers.{{block}}",
            width,
            intermediate,
            config.size("num_attention_heads"),
            config.layers,
        ),
        *linear(
            "multi_modal_projector.linear_1", inner, width, (), Split.rows, bias=bias, part=Part.projector
        ),
        *linear(
            "multi_modal_projector.linear_2", hidden, inner, (), Split.columns, bias=bias, part=Part.projector
        ),
        *linear("patch_merge_mlp.linear_1", inner, merged, (), Split.rows, bias=bias, part=Part.projector),
        *linear("patch_merge_mlp.linear_2", hidden, inner, (), Split.columns, bias=bias, part=Part.projector),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    nested = text is not config
    model = "language_model.model" if nested else "model"
    head = "language_model.lm_head" if nested else "lm_head"
    size = Dimensions.read(text)
    third = is_third(text)
    layers = size.every_layer
    sparse = deepseek.sparse_layers(text, layers) if third else layers
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    indexed = indexed_layers(text, layers) if third else ()
    moe = mixture(text, sparse)
    block = f"{model}.layers.{{layer}}"
    experts = f"{block}.block_sparse_moe"
    tied = config.tied
    groups: Groups = (
        *llama.frame(size, model, head, tied=tied),
        *projections(text, size, f"{block}.self_attn", layers, indexed),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        *router(f"{experts}.gate", moe.experts, size.hidden, sparse),
        *parameter(f"{experts}.e_score_correction_bias", (moe.experts,), sparse, dtype="float32"),
        *experts_mlp(
            f"{experts}.experts.{{expert}}",
            moe.experts,
            size.hidden,
            moe.intermediate_size,
            sparse,
            names=("w1", "w3", "w2"),
        ),
    )
    if moe.shared_intermediate_size:
        groups += mlp(f"{experts}.shared_experts", size.hidden, moe.shared_intermediate_size, sparse)
    if dense:
        groups += mlp(f"{block}.mlp", size.hidden, text.size("dense_intermediate_size"), dense)
    vision = config.sub("vision_config") if nested else None
    facts = None
    if vision is not None:
        groups += tower(vision, config, size.hidden)
        facts = Vision(
            hidden_size=vision.size("hidden_size"),
            intermediate_size=vision.size("intermediate_size"),
            layers=vision.layers,
            heads=vision.size("num_attention_heads"),
            patch_size=vision.size("patch_size"),
            image_size=vision.optional("image_size"),
            spatial_merge=2,
        )
    keeps = [full_attention(size, layers)]
    if indexed:
        own = Config(text.mapping("sparse_attention_config"), path="sparse_attention_config.")
        keeps.append(
            KVLayers(kind=KVKind.indexer, layers=indexed, kv_heads=1, key_dim=own.size("sparse_index_dim"))
        )
    rotary = text.optional("rotary_dim")
    fraction = rotary / size.head_dim if rotary else text.number("partial_rotary_factor", default=1.0)
    table = rope_table({}, size.head_dim, text.size("max_position_embeddings"), fraction)
    return Architecture(
        family="minimax",
        size=size,
        tensors=groups,
        kv=tuple(keeps),
        rope=() if table is None else (table,),
        tied_embeddings=tied,
        moe=moe,
        vision=facts,
        extra={"mtp_layers_not_counted": text.integer("num_mtp_modules", default=0)},
    )
