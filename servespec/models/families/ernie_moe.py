"""ERNIE 4.5 MoE (vLLM 0.32.0 models/ernie45_moe.py)."""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    attention,
    experts_mlp,
    mlp,
    norms,
    parameter,
    router,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("Ernie4_5_MoeForCausalLM",)
MODEL_TYPES = ("ernie4_5_moe",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    first = config.integer("moe_layer_start_index", default=1)
    last = (
        config.integers("moe_layer_end_index") if isinstance(config.raw("moe_layer_end_index"), list) else ()
    )
    end = last[0] if last else int(config.number("moe_layer_end_index", default=-1))
    end = size.layers - 1 if end < 0 else end
    interval = config.size("moe_layer_interval", default=1)
    sparse = tuple(layer for layer in layers if first <= layer <= end and (layer + 1) % interval == 0)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    count = config.size("moe_num_experts", most=MOST_EXPERTS)
    width = config.size("moe_intermediate_size")
    shared = width * config.integer("moe_num_shared_experts", default=0)
    bias = config.flag("use_bias")
    block = "model.layers.{layer}"
    groups: Groups = (
        *llama.frame(size, tied=config.tied),
        *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, dense, bias=bias),
        *router(f"{block}.mlp.gate", count, size.hidden, sparse),
        *parameter(f"{block}.mlp.moe_statics.e_score_correction_bias", (1, count), sparse, dtype="float32"),
        *experts_mlp(f"{block}.mlp.experts.{{expert}}", count, size.hidden, width, sparse),
    )
    if shared:
        groups += mlp(f"{block}.mlp.shared_experts", size.hidden, shared, sparse, bias=bias)
    return Architecture(
        family="ernie_moe",
        size=size,
        tensors=groups,
        kv=(full_attention(size, layers),),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        moe=MoE(
            experts=count,
            experts_per_token=config.size("moe_k"),
            intermediate_size=width,
            layers=sparse,
            shared_intermediate_size=shared,
        ),
    )
