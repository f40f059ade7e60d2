"""EXAONE 4: norms after the blocks, windows in three of four layers (vLLM 0.32.0 models/exaone4.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import Dimensions, Layers, attention, mlp, norms
from servespec.models.rope import rope_tables

ARCHITECTURES = ("Exaone4ForCausalLM",)
MODEL_TYPES = ("exaone4",)


def sliding_layers(config: Config, layers: Layers) -> Layers:
    """By ``layer_types``; else by a pattern of letters (LLLG) or a number, where there is a window."""
    kinds = config.words("layer_types")
    if kinds:
        return tuple(layer for layer, kind in zip(layers, kinds, strict=False) if kind == "sliding_attention")
    pattern = config.raw("sliding_window_pattern")
    period = len(pattern) if isinstance(pattern, str) else pattern
    if not isinstance(period, int) or period < 1:
        return ()
    return tuple(layer for layer in layers if (layer + 1) % period and layer != len(layers) - 1)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    window = config.optional("sliding_window")
    block = "model.layers.{layer}"
    return Architecture(
        family="exaone4",
        size=size,
        tensors=(
            *llama.frame(size, tied=config.tied),
            *attention(f"{block}.self_attn", size, layers),
            *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers),
            *norms((f"{block}.self_attn.q_norm", f"{block}.self_attn.k_norm"), size.head_dim, layers),
            *norms(
                (f"{block}.post_attention_layernorm", f"{block}.post_feedforward_layernorm"),
                size.hidden,
                layers,
            ),
        ),
        kv=attention_layers(size, sliding_layers(config, layers) if window else (), window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        sliding_window=window,
    )
