"""Jamba, Bamba and Falcon-H1: Mamba layers between (or beside) attention.

vLLM 0.32.0: models/jamba.py, falcon_h1.py; transformers 5.19.0: modeling_bamba.py.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import KVLayers, MoE, Stage
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    embedding,
    experts_mlp,
    lm_head,
    mlp,
    norm,
    norms,
    router,
)
from servespec.models.families.mamba import (
    Mamba2,
    chunk_extra,
    mamba1_states,
    mamba1_tensors,
    mamba2_states,
    mamba2_tensors,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("JambaForCausalLM", "BambaForCausalLM", "FalconH1ForCausalLM")
MODEL_TYPES = ("jamba", "bamba", "falcon_h1")


def every(config: Config, period: str, offset: str, layers: Layers) -> Layers:
    """The layers that a period and an offset choose."""
    step = max(1, config.integer(period, default=1))
    first = config.integer(offset, default=0)
    return tuple(layer for layer in layers if layer % step == first % step)


def recurrent_layers(config: Config, size: Dimensions, block: str, layers: Layers) -> tuple[Groups, KVLayers]:
    """Mamba mixers of ``layers``: the first generation in Jamba, the second in the others."""
    hidden = size.hidden
    mixer = f"{block}.mamba"
    if config.model_type != "jamba":
        shape = Mamba2.hybrid(config)
        if config.model_type == "falcon_h1" and not config.flag("mamba_rms_norm"):
            shape = replace(shape, gated_norm=False)
        return mamba2_tensors(shape, hidden, mixer, layers), mamba2_states(shape, layers)
    inner = config.size("mamba_expand", default=2) * hidden
    state, kernel = config.size("mamba_d_state"), config.size("mamba_d_conv")
    rank = -(-hidden // 16) if config.raw("mamba_dt_rank") in (None, "auto") else config.size("mamba_dt_rank")
    groups = mamba1_tensors(
        inner,
        hidden,
        state,
        kernel,
        rank,
        mixer,
        layers,
        conv_bias=config.flag("mamba_conv_bias", default=True),
        bias=config.flag("mamba_proj_bias"),
    )
    for name, width in (("dt_layernorm", rank), ("b_layernorm", state), ("c_layernorm", state)):
        groups += norm(f"{mixer}.{name}", width, layers)
    return groups, mamba1_states(inner, state, kernel, layers)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    block = "model.layers.{layer}"
    if config.model_type == "falcon_h1":
        attending = recurrent = layers
    elif config.model_type == "bamba":
        listed = set(config.integers("attn_layer_indices"))
        attending = tuple(layer for layer in layers if layer in listed)
        recurrent = tuple(layer for layer in layers if layer not in listed)
    else:
        attending = every(config, "attn_layer_period", "attn_layer_offset", layers)
        recurrent = tuple(layer for layer in layers if layer not in set(attending))
    mixers, states = recurrent_layers(config, size, block, recurrent)
    bias = config.flag("attention_bias")
    sparse: Layers = ()
    count = config.integer("num_experts", default=1, most=MOST_EXPERTS) if config.model_type == "jamba" else 1
    if count > 1:
        sparse = every(config, "expert_layer_period", "expert_layer_offset", layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    forward = f"{block}.feed_forward"
    groups: Groups = (
        *embedding("model.embed_tokens", size.vocab, size.hidden),
        *mixers,
        *(attention(f"{block}.self_attn", size, attending, bias=bias, output_bias=bias) if attending else ()),
        *(mlp(forward, size.hidden, size.intermediate, dense) if dense else ()),
        *norms((f"{block}.input_layernorm", f"{block}.pre_ff_layernorm"), size.hidden, layers),
        *norm("model.final_layernorm", size.hidden, stage=Stage.last),
        *lm_head("lm_head", size.vocab, size.hidden, tied=config.tied),
    )
    moe = None
    if sparse:
        groups += router(f"{forward}.router", count, size.hidden, sparse)
        groups += experts_mlp(f"{forward}.experts.{{expert}}", count, size.hidden, size.intermediate, sparse)
        moe = MoE(
            experts=count,
            experts_per_token=config.size("num_experts_per_tok"),
            intermediate_size=size.intermediate,
            layers=sparse,
        )
    return Architecture(
        family="jamba",
        size=size,
        tensors=groups,
        kv=(*((full_attention(size, attending),) if attending else ()), states),
        rope=() if config.model_type == "jamba" else rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        moe=moe,
        extra={} if config.model_type == "jamba" else chunk_extra(config),
    )
