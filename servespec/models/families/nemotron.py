"""Nemotron 4 and Minitron: squared ReLU, norms with biases (vLLM 0.32.0 models/nemotron.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import Dimensions, attention, embedding, lm_head, mlp, norm, norms
from servespec.models.rope import rope_tables

ARCHITECTURES = ("NemotronForCausalLM",)
MODEL_TYPES = ("nemotron",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    block = "model.layers.{layer}"
    bias = config.flag("attention_bias")
    return Architecture(
        family="nemotron",
        size=size,
        tensors=(
            *embedding("model.embed_tokens", size.vocab, size.hidden),
            *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
            *mlp(
                f"{block}.mlp",
                size.hidden,
                size.intermediate,
                layers,
                bias=config.flag("mlp_bias"),
                names=("up_proj", "down_proj"),
            ),
            *norms(
                (f"{block}.input_layernorm", f"{block}.post_attention_layernorm"),
                size.hidden,
                layers,
                bias=True,
            ),
            *norm("model.norm", size.hidden, bias=True, stage=Stage.last),
            *lm_head("lm_head", size.vocab, size.hidden, tied=config.tied),
        ),
        kv=(full_attention(size, layers),),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
    )
