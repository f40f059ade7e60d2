"""Mixtral: Llama's attention, and experts in every layer (vLLM 0.32.0 models/mixtral.py)."""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import Dimensions, experts_mlp, router
from servespec.models.rope import rope_tables

ARCHITECTURES = ("MixtralForCausalLM",)
MODEL_TYPES = ("mixtral",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    tied = config.flag("tie_word_embeddings")
    sliding, window = llama.sliding_layers(config)
    layers = size.every_layer
    experts = config.size("num_local_experts", most=MOST_EXPERTS)
    block = "model.layers.{layer}.block_sparse_moe"
    return Architecture(
        family="mixtral",
        size=size,
        tensors=(
            *llama.frame(size, tied=tied),
            *llama.decoder(config, size, "model.layers", layers),
            *router(f"{block}.gate", experts, size.hidden, layers),
            *experts_mlp(
                f"{block}.experts.{{expert}}",
                experts,
                size.hidden,
                size.intermediate,
                layers,
                names=("w1", "w3", "w2"),
            ),
        ),
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=tied,
        sliding_window=window,
        moe=MoE(
            experts=experts,
            experts_per_token=config.size("num_experts_per_tok"),
            intermediate_size=size.intermediate,
            layers=layers,
        ),
    )
