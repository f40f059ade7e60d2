"""LFM 2: short convolutions, and attention in some layers (vLLM 0.32.0 models/lfm2.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import KVKind, KVLayers, Split, Stage, StateTensor, TensorKind
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

ARCHITECTURES = ("Lfm2ForCausalLM",)
MODEL_TYPES = ("lfm2",)


def feed_forward_width(config: Config, width: int) -> int:
    """The block's width: two thirds, scaled and rounded up where the configuration says so (modeling_lfm2.py)."""
    if not config.flag("block_auto_adjust_ff_dim", default=True):
        return width
    width = int(2 * width / 3)
    scale = config.raw("block_ffn_dim_multiplier")
    if scale is not None:
        width = int(config.number("block_ffn_dim_multiplier", default=1.0) * width)
    multiple = config.size("block_multiple_of", default=256)
    return -(-width // multiple) * multiple


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    hidden = size.hidden
    layers = size.every_layer
    kinds = config.words("layer_types")
    listed = set(config.integers("full_attn_idxs"))
    attending = tuple(
        layer
        for layer in layers
        if (kinds[layer] == "full_attention" if layer < len(kinds) else not listed or layer in listed)
    )
    convolving = tuple(layer for layer in layers if layer not in set(attending))
    kernel = config.size("conv_L_cache", default=3)
    bias = config.flag("conv_bias")
    inner = config.optional("intermediate_size", "block_ff_dim") or hidden
    block = "model.layers.{layer}"
    groups: Groups = (
        *embedding("model.embed_tokens", size.vocab, hidden),
        *norm("model.embedding_norm", hidden, stage=Stage.last),
        *lm_head("lm_head", size.vocab, hidden, tied=config.tied),
        *attention(f"{block}.self_attn", size, attending, names=("q_proj", "k_proj", "v_proj", "out_proj")),
        *norms(
            (f"{block}.self_attn.q_layernorm", f"{block}.self_attn.k_layernorm"), size.head_dim, attending
        ),
        *linear(f"{block}.conv.in_proj", 3 * hidden, hidden, convolving, Split.rows, bias=bias),
        *parameter(
            f"{block}.conv.conv.weight",
            (hidden, 1, kernel),
            convolving,
            split=Split.rows,
            kind=TensorKind.conv,
        ),
        *linear(f"{block}.conv.out_proj", hidden, hidden, convolving, Split.columns, bias=bias),
        *mlp(
            f"{block}.feed_forward",
            hidden,
            feed_forward_width(config, inner),
            layers,
            names=("w1", "w3", "w2"),
        ),
        *norms((f"{block}.operator_norm", f"{block}.ffn_norm"), hidden, layers),
    )
    if bias:
        groups += parameter(
            f"{block}.conv.conv.bias", (hidden,), convolving, split=Split.rows, kind=TensorKind.bias
        )
    return Architecture(
        family="lfm2",
        size=size,
        tensors=groups,
        kv=(
            full_attention(size, attending),
            KVLayers(
                kind=KVKind.recurrent,
                layers=convolving,
                state_type="short_conv",
                states=(StateTensor((kernel - 1, hidden), 1),),
            ),
        ),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
    )
