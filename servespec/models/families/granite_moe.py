"""Granite 3 MoE and Granite 4: experts, shared feed-forward blocks, Mamba 2 layers.

vLLM 0.32.0: models/granitemoe.py, granitemoeshared.py, granitemoehybrid.py.
"""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import KVLayers, MoE
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    attention,
    experts_mlp,
    mlp,
    norms,
    router,
)
from servespec.models.families.mamba import Mamba2, chunk_extra, mamba2_states, mamba2_tensors
from servespec.models.rope import rope_tables

ARCHITECTURES = ("GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM", "GraniteMoeHybridForCausalLM")
MODEL_TYPES = ("granitemoe", "granitemoeshared", "granitemoehybrid")

FUSED = ("input_linear", "input_linear", "output_linear")


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    hybrid = config.model_type == "granitemoehybrid"
    kinds = config.words("layer_types", "layers_block_type") if hybrid else ()
    if hybrid:
        attending = tuple(
            layer
            for layer, kind in zip(layers, kinds, strict=False)
            if kind in ("attention", "full_attention")
        )
    else:
        attending = layers
    recurrent = tuple(layer for layer in layers if layer not in set(attending))
    block = "model.layers.{layer}"
    bias = config.flag("attention_bias")
    shared = config.integer("shared_intermediate_size", default=0) if config.model_type != "granitemoe" else 0
    count = config.integer("num_local_experts", default=0, most=MOST_EXPERTS)
    groups: Groups = (
        *llama.frame(size, tied=config.tied),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        *(attention(f"{block}.self_attn", size, attending, bias=bias, output_bias=bias) if attending else ()),
        *(mlp(f"{block}.shared_mlp", size.hidden, shared, layers, names=FUSED) if shared else ()),
    )
    keeps: list[KVLayers] = [full_attention(size, attending)] if attending else []
    if recurrent:
        shape = Mamba2.hybrid(config)
        groups += mamba2_tensors(shape, size.hidden, f"{block}.mamba", recurrent)
        keeps.append(mamba2_states(shape, recurrent))
    moe = None
    if count:
        groups += router(f"{block}.block_sparse_moe.router.layer", count, size.hidden, layers)
        groups += experts_mlp(
            f"{block}.block_sparse_moe", count, size.hidden, size.intermediate, layers, names=FUSED
        )
        moe = MoE(
            experts=count,
            experts_per_token=config.size("num_experts_per_tok"),
            intermediate_size=size.intermediate,
            layers=layers,
            shared_intermediate_size=shared,
        )
    rotary = not hybrid or config.text("position_embedding_type") == "rope"
    return Architecture(
        family="granite_moe",
        size=size,
        tensors=groups,
        kv=tuple(keeps),
        rope=rope_tables(config, size.head_dim) if rotary else (),
        tied_embeddings=config.tied,
        moe=moe,
        extra=chunk_extra(config) if recurrent else {},
    )
