"""Apertus: xIELU with learned parameters, norms over each head (vLLM 0.32.0 models/apertus.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import Dimensions, attention, mlp, norms, parameter
from servespec.models.rope import rope_tables

ARCHITECTURES = ("ApertusForCausalLM",)
MODEL_TYPES = ("apertus",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    block = "model.layers.{layer}"
    bias = config.flag("attention_bias")
    return Architecture(
        family="apertus",
        size=size,
        tensors=(
            *llama.frame(size, tied=config.tied),
            *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
            *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers, names=("up_proj", "down_proj")),
            *(
                group
                for name in ("alpha_p", "alpha_n", "beta", "eps")
                for group in parameter(f"{block}.mlp.act_fn.{name}", (1,), layers)
            ),
            *norms((f"{block}.self_attn.q_norm", f"{block}.self_attn.k_norm"), size.head_dim, layers),
            *norms((f"{block}.attention_layernorm", f"{block}.feedforward_layernorm"), size.hidden, layers),
        ),
        kv=(full_attention(size, layers),),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
    )
