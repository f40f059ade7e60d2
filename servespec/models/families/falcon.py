"""Falcon 7B, 40B, 180B and 11B (vLLM 0.32.0 models/falcon.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import Dimensions, attention, embedding, lm_head, mlp, norm, norms
from servespec.models.rope import rope_tables

ARCHITECTURES = ("FalconForCausalLM", "RWForCausalLM")
MODEL_TYPES = ("falcon", "RefinedWeb", "RefinedWebModel")


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    hidden = config.size("hidden_size", "n_embed")
    heads = config.size("num_attention_heads", "n_head")
    newer = config.flag("new_decoder_architecture")
    if newer:
        kv_heads = config.size("num_kv_heads", "n_head_kv", default=heads)
    else:
        kv_heads = 1 if config.flag("multi_query", default=True) else heads
    size = Dimensions(
        hidden=hidden,
        intermediate=config.optional("ffn_hidden_size") or 4 * hidden,
        layers=config.layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=hidden // heads,
        vocab=config.size("vocab_size"),
    )
    layers = size.every_layer
    block = "transformer.h.{layer}"
    bias = config.flag("bias")
    if newer and config.integer("num_ln_in_parallel_attn", default=2) == 2:
        names: tuple[str, ...] = ("ln_attn", "ln_mlp")
    elif config.flag("parallel_attn", default=True):
        names = ("input_layernorm",)
    else:
        names = ("input_layernorm", "post_attention_layernorm")
    fused = "query_key_value"
    return Architecture(
        family="falcon",
        size=size,
        tensors=(
            *embedding("transformer.word_embeddings", size.vocab, hidden),
            *attention(
                f"{block}.self_attention",
                size,
                layers,
                bias=bias,
                output_bias=bias,
                names=(fused, fused, fused, "dense"),
            ),
            *mlp(
                f"{block}.mlp",
                hidden,
                size.intermediate,
                layers,
                bias=bias,
                names=("dense_h_to_4h", "dense_4h_to_h"),
            ),
            *norms((f"{block}.{name}" for name in names), hidden, layers, bias=True),
            *norm("transformer.ln_f", hidden, bias=True, stage=Stage.last),
            *lm_head("lm_head", size.vocab, hidden, tied=config.tied),
        ),
        kv=(full_attention(size, layers),),
        rope=() if config.flag("alibi") else rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
    )
