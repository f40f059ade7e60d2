"""Step 3.5 and 3.7 Flash: windows in three of four layers, experts after the first layers.

vLLM 0.32.0: models/step3p5.py, step3p7.py.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE, Split, TensorKind
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention, windowed
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    experts_mlp,
    linear,
    mlp,
    norms,
    parameter,
    router,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("Step3p5ForCausalLM", "Step3p7FlashForCausalLM")
MODEL_TYPES = ("step3p5", "step3p7")


def expert_layers(config: Config, layers: Layers) -> Layers:
    """Listed in ``moe_layers_enum``, or all after the first dense ones."""
    listed = config.raw("moe_layers_enum")
    if isinstance(listed, str) and listed:
        chosen = {int(place) for place in listed.split(",") if place.strip().isdigit()}
    elif listed:
        chosen = set(config.integers("moe_layers_enum"))
    else:
        first = config.integer("first_k_dense_replace", default=1)
        chosen = {layer for layer in layers if layer >= first}
    return tuple(layer for layer in layers if layer in chosen)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    heads = config.size("num_attention_heads")
    hidden = config.size("hidden_size")
    size = Dimensions(
        hidden=hidden,
        intermediate=config.size("intermediate_size"),
        layers=config.layers,
        heads=heads,
        kv_heads=config.size("num_key_value_heads", "num_attention_groups", default=heads),
        head_dim=config.optional("head_dim") or hidden // heads,
        vocab=config.size("vocab_size"),
    )
    layers = size.every_layer
    kinds = config.words("layer_types")
    window = config.optional("sliding_window")
    sliding = tuple(
        layer
        for layer in layers
        if window and (kinds[layer] == "sliding_attention" if layer < len(kinds) else layer % 2 == 0)
    )
    full = tuple(layer for layer in layers if layer not in set(sliding))
    other = Config(config.mapping("attention_other_setting"), path="attention_other_setting.")
    narrow = replace(
        size,
        heads=other.integer("num_attention_heads", default=heads),
        kv_heads=other.integer("num_attention_groups", default=size.kv_heads),
        head_dim=other.integer("head_dim", default=size.head_dim),
    )
    sparse = expert_layers(config, layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    count = config.size("moe_num_experts", "num_experts", most=MOST_EXPERTS)
    width = config.size("moe_intermediate_size")
    shared = config.integer("share_expert_dim", "share_expert_dims", default=0)
    block = "model.layers.{layer}"
    groups: Groups = llama.frame(size, tied=config.tied)
    for own, which in ((size, full), (narrow, sliding)):
        if not which:
            continue
        groups += attention(f"{block}.self_attn", own, which)
        groups += norms((f"{block}.self_attn.q_norm", f"{block}.self_attn.k_norm"), own.head_dim, which)
        if config.flag("use_head_wise_attn_gate"):
            groups += linear(f"{block}.self_attn.g_proj", own.heads, hidden, which, Split.rows)
    groups += norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), hidden, layers)
    if dense:
        groups += mlp(f"{block}.mlp", hidden, size.intermediate, dense)
    groups += (
        *router(f"{block}.moe.gate", count, hidden, sparse),
        *parameter(f"{block}.moe.router_bias", (count,), sparse, dtype="float32", kind=TensorKind.bias),
        *experts_mlp(f"{block}.moe.experts.{{expert}}", count, hidden, width, sparse),
        *(mlp(f"{block}.share_expert", hidden, shared, sparse) if shared else ()),
    )
    return Architecture(
        family="step",
        size=size,
        tensors=groups,
        kv=tuple(
            entry
            for entry in (full_attention(size, full), windowed(narrow, sliding, window or 0))
            if entry.layers
        ),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        sliding_window=window,
        moe=MoE(
            experts=count,
            experts_per_token=config.size("moe_top_k", "num_experts_per_tok"),
            intermediate_size=width,
            layers=sparse,
            shared_intermediate_size=shared,
        ),
        extra={"mtp_layers_not_counted": config.integer("num_nextn_predict_layers", default=0)},
    )
