"""Qwen2-MoE and Qwen3-MoE: experts in most layers, Qwen2's with a shared one.

vLLM 0.32.0: models/qwen2_moe.py, qwen3_moe.py.
"""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import Dimensions, Groups, Layers, experts_mlp, mlp, router
from servespec.models.rope import rope_tables

ARCHITECTURES = ("Qwen2MoeForCausalLM", "Qwen3MoeForCausalLM")
MODEL_TYPES = ("qwen2_moe", "qwen3_moe")


def sparse_layers(config: Config, layers: Layers) -> Layers:
    """The layers that have experts: every ``decoder_sparse_step``-th, without ``mlp_only_layers``."""
    step = max(1, config.integer("decoder_sparse_step", default=1))
    dense = set(config.integers("mlp_only_layers"))
    return tuple(layer for layer in layers if layer not in dense and (layer + 1) % step == 0)


def feed_forward(config: Config, size: Dimensions, block: str, layers: Layers) -> tuple[Groups, MoE]:
    """The feed-forward part of ``layers``; ``block`` ends in ``{layer}``."""
    experts = config.size("num_experts", "num_local_experts", most=MOST_EXPERTS)
    width = config.size("moe_intermediate_size")
    sparse = sparse_layers(config, layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    shared = config.integer("shared_expert_intermediate_size", default=0)
    groups: Groups = (
        *router(f"{block}.mlp.gate", experts, size.hidden, sparse),
        *experts_mlp(f"{block}.mlp.experts.{{expert}}", experts, size.hidden, width, sparse),
    )
    if shared:
        groups += (
            *mlp(f"{block}.mlp.shared_expert", size.hidden, shared, sparse),
            *router(f"{block}.mlp.shared_expert_gate", 1, size.hidden, sparse),
        )
    if dense:
        groups += mlp(f"{block}.mlp", size.hidden, size.intermediate, dense)
    return groups, MoE(
        experts=experts,
        experts_per_token=config.size("num_experts_per_tok"),
        intermediate_size=width,
        layers=sparse,
        shared_intermediate_size=shared,
    )


def text_decoder(config: Config, model: str = "model", head: str = "lm_head") -> Architecture:
    """A whole decoder whose tensors begin with ``model``; ``config`` may nest the language model."""
    tied = config.tied
    config = config.language
    size = Dimensions.read(config)
    sliding, window = llama.sliding_layers(config)
    layers = size.every_layer
    experts, moe = feed_forward(config, size, f"{model}.layers.{{layer}}", layers)
    return Architecture(
        family="qwen_moe",
        size=size,
        tensors=(
            *llama.frame(size, model, head, tied=tied),
            *llama.decoder(config, size, f"{model}.layers", layers),
            *experts,
        ),
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=tied,
        sliding_window=window,
        moe=moe,
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    return text_decoder(config)
