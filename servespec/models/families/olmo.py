"""OLMo 1, 2, 3 and OLMoE (vLLM 0.32.0 models/olmoe.py; transformers 5.19.0 modeling_olmo*.py)."""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE, Stage
from servespec.models.families.architecture import Architecture, attention_layers
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
from servespec.models.rope import rope_tables

ARCHITECTURES = ("OlmoForCausalLM", "Olmo2ForCausalLM", "Olmo3ForCausalLM", "OlmoeForCausalLM")
MODEL_TYPES = ("olmo", "olmo2", "olmo3", "olmoe")

# The norms of a layer; the first generation's have no weights.
NORMS = {
    "olmo": (),
    "olmo2": ("post_attention_layernorm", "post_feedforward_layernorm"),
    "olmo3": ("post_attention_layernorm", "post_feedforward_layernorm"),
    "olmoe": ("input_layernorm", "post_attention_layernorm"),
}
PATTERN = 4  # configuration_olmo3.py: every fourth layer attends to everything


def sliding_layers(config: Config) -> tuple[Layers, int | None]:
    """OLMo 3's layers with a window, and the window."""
    window = config.optional("sliding_window") if config.model_type == "olmo3" else None
    if not window:
        return (), None
    kinds = config.words("layer_types")
    layers = range(config.layers)
    if kinds:
        return tuple(i for i, kind in zip(layers, kinds, strict=False) if kind == "sliding_attention"), window
    return tuple(layer for layer in layers if (layer + 1) % PATTERN), window


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    kind = config.model_type if config.model_type in NORMS else "olmo2"
    layers = size.every_layer
    sliding, window = sliding_layers(config)
    block = "model.layers.{layer}"
    bias = config.flag("attention_bias")
    groups: Groups = (
        *embedding("model.embed_tokens", size.vocab, size.hidden),
        *lm_head("lm_head", size.vocab, size.hidden, tied=config.tied),
        *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
        *norms((f"{block}.{name}" for name in NORMS[kind]), size.hidden, layers),
    )
    if kind != "olmo":
        groups += norm("model.norm", size.hidden, stage=Stage.last)
        for name, heads in (("q_norm", size.heads), ("k_norm", size.kv_heads)):
            # over all heads: each rank keeps the whole norm (vLLM 0.32.0 and SGLang 0.5.23, models/olmo2.py, olmoe.py)
            groups += norm(f"{block}.self_attn.{name}", heads * size.head_dim, layers)
    moe = None
    if kind == "olmoe":
        count = config.size("num_experts", most=MOST_EXPERTS)
        groups += router(f"{block}.mlp.gate", count, size.hidden, layers)
        groups += experts_mlp(
            f"{block}.mlp.experts.{{expert}}", count, size.hidden, size.intermediate, layers
        )
        moe = MoE(
            experts=count,
            experts_per_token=config.size("num_experts_per_tok"),
            intermediate_size=size.intermediate,
            layers=layers,
        )
    else:
        groups += mlp(f"{block}.mlp", size.hidden, size.intermediate, layers)
    return Architecture(
        family="olmo",
        size=size,
        tensors=groups,
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        sliding_window=window,
        moe=moe,
    )
