"""Phi-3.5-MoE (vLLM 0.32.0 models/phimoe.py)."""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE, Stage
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import (
    Dimensions,
    attention,
    embedding,
    experts_mlp,
    lm_head,
    norm,
    norms,
    router,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("PhiMoEForCausalLM", "PhimoeForCausalLM")
MODEL_TYPES = ("phimoe",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    sliding, window = llama.sliding_layers(config)
    count = config.size("num_local_experts", most=MOST_EXPERTS)
    block = "model.layers.{layer}"
    bias = config.flag("attention_bias")
    moe = f"{block}.block_sparse_moe"
    return Architecture(
        family="phimoe",
        size=size,
        tensors=(
            *embedding("model.embed_tokens", size.vocab, size.hidden),
            *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
            *router(f"{moe}.gate", count, size.hidden, layers),
            *experts_mlp(
                f"{moe}.experts.{{expert}}",
                count,
                size.hidden,
                size.intermediate,
                layers,
                names=("w1", "w3", "w2"),
            ),
            *norms(
                (f"{block}.input_layernorm", f"{block}.post_attention_layernorm"),
                size.hidden,
                layers,
                bias=True,
            ),
            *norm("model.norm", size.hidden, bias=True, stage=Stage.last),
            *lm_head("lm_head", size.vocab, size.hidden, bias=config.flag("lm_head_bias"), tied=config.tied),
        ),
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        sliding_window=window,
        moe=MoE(
            experts=count,
            experts_per_token=config.size("num_experts_per_tok"),
            intermediate_size=size.intermediate,
            layers=layers,
        ),
    )
