"""MiMo (Qwen2 with MTP layers) and MiMo-V2-Flash (windows, wide keys, experts).

vLLM 0.32.0: models/mimo.py, mimo_mtp.py, mimo_v2.py.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE, Part, RopeTable, Split, TensorKind
from servespec.models.families import deepseek, llama
from servespec.models.families.architecture import Architecture, full_attention, windowed
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    attention,
    experts_mlp,
    linear,
    mlp,
    norm,
    norms,
    parameter,
    router,
)
from servespec.models.rope import rope_table, rope_tables

ARCHITECTURES = ("MiMoForCausalLM", "MiMoV2FlashForCausalLM")
MODEL_TYPES = ("mimo", "mimo_v2_flash")


def first(config: Config) -> Architecture:
    """MiMo-7B: projections with biases whatever the configuration says, and layers that draft."""
    size = Dimensions.read(config)
    layers = size.every_layer
    block = "model.layers.{layer}"
    groups: Groups = (
        *llama.frame(size, tied=config.tied),
        *attention(f"{block}.self_attn", size, layers, bias=True),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
    )
    count = config.integer("num_nextn_predict_layers", default=0, most=64)
    keeps = [full_attention(size, layers)]
    if count:
        own = tuple(range(size.layers, size.layers + count))
        draft = "model.mtp_layers.{layer}"
        hidden = size.hidden
        names = (
            "input_layernorm",
            "post_attention_layernorm",
            "token_layernorm",
            "hidden_layernorm",
            "final_layernorm",
        )
        drafts: Groups = (
            *attention(f"{draft}.self_attn", size, own, bias=True, part=Part.mtp),
            *mlp(f"{draft}.mlp", hidden, size.intermediate, own, part=Part.mtp),
            *linear(f"{draft}.input_proj", hidden, 2 * hidden, own, part=Part.mtp, kind=TensorKind.router),
        )
        for name in names:
            drafts += norm(f"{draft}.{name}", hidden, own, part=Part.mtp)
        groups += drafts
        keeps.append(replace(full_attention(size, own), part=Part.mtp))
    return Architecture(
        family="mimo",
        size=size,
        tensors=groups,
        kv=tuple(keeps),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
    )


def rope(config: Config, size: Dimensions, narrow: Dimensions) -> tuple[RopeTable, ...]:
    """A table for each kind of layer: their bases differ."""
    positions = config.size("max_position_embeddings")
    fraction = config.number("partial_rotary_factor", default=1.0)
    tables = [rope_table({}, own.head_dim, positions, fraction) for own in (size, narrow)]
    return tuple(table for table in tables if table is not None)


def second(config: Config) -> Architecture:
    """MiMo-V2-Flash."""
    size = Dimensions.read(config)
    value = config.optional("v_head_dim") or size.head_dim
    narrow = replace(
        size,
        heads=config.integer("swa_num_attention_heads", default=size.heads),
        kv_heads=config.integer("swa_num_key_value_heads", default=size.kv_heads),
        head_dim=config.integer("swa_head_dim", default=size.head_dim),
    )
    narrow_value = config.optional("swa_v_head_dim") or narrow.head_dim
    layers = size.every_layer
    pattern = config.integers("hybrid_layer_pattern")
    sliding = tuple(layer for layer, kind in zip(layers, pattern, strict=False) if kind == 1)
    full = tuple(layer for layer in layers if layer not in set(sliding))
    window = config.size("sliding_window_size", "sliding_window")
    sparse = deepseek.sparse_layers(config, layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    count = config.size("n_routed_experts", most=MOST_EXPERTS)
    width = config.size("moe_intermediate_size")
    bias = config.flag("attention_bias")
    block = "model.layers.{layer}"
    groups: Groups = llama.frame(size, tied=config.tied)
    sinks = (
        (size, value, full, config.flag("add_full_attention_sink_bias")),
        (narrow, narrow_value, sliding, config.flag("add_swa_attention_sink_bias")),
    )
    for own, own_value, which, sink in sinks:
        if not which:
            continue
        groups += attention(f"{block}.self_attn", own, which, value_dim=own_value, bias=bias)
        if sink:
            groups += parameter(
                f"{block}.self_attn.attention_sink_bias",
                (own.heads,),
                which,
                split=Split.heads,
                heads=own.heads,
            )
    groups += (
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        *router(f"{block}.mlp.gate", count, size.hidden, sparse),
        *parameter(f"{block}.mlp.gate.e_score_correction_bias", (count,), sparse, dtype="float32"),
        *experts_mlp(f"{block}.mlp.experts.{{expert}}", count, size.hidden, width, sparse),
    )
    if dense:
        groups += mlp(f"{block}.mlp", size.hidden, size.intermediate, dense)
    return Architecture(
        family="mimo",
        size=size,
        tensors=groups,
        kv=tuple(
            entry
            for entry in (
                full_attention(size, full, value),
                windowed(narrow, sliding, window, value_dim=narrow_value),
            )
            if entry.layers
        ),
        rope=rope(config, size, narrow),
        tied_embeddings=config.tied,
        sliding_window=window,
        moe=MoE(
            experts=count,
            experts_per_token=config.size("num_experts_per_tok"),
            intermediate_size=width,
            layers=sparse,
        ),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    return second(config) if config.has("hybrid_layer_pattern") else first(config)
