"""Phi-3 and Phi-4: Llama with fused projections in the checkpoint (vLLM 0.32.0 models/phi3.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import Dimensions, attention, mlp, norms
from servespec.models.rope import rope_tables

ARCHITECTURES = ("Phi3ForCausalLM",)
MODEL_TYPES = ("phi3",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    sliding, window = llama.sliding_layers(config)
    layers = size.every_layer
    block = "model.layers.{layer}"
    bias = config.flag("attention_bias")
    return Architecture(
        family="phi3",
        size=size,
        tensors=(
            *llama.frame(size, tied=config.tied),
            *attention(
                f"{block}.self_attn",
                size,
                layers,
                bias=bias,
                output_bias=bias,
                names=("qkv_proj", "qkv_proj", "qkv_proj", "o_proj"),
            ),
            *mlp(
                f"{block}.mlp",
                size.hidden,
                size.intermediate,
                layers,
                names=("gate_up_proj", "gate_up_proj", "down_proj"),
            ),
            *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        ),
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        sliding_window=window,
    )
