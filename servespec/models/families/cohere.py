"""Command R, R+ and A (vLLM 0.32.0 models/commandr.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Split, TensorKind
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import Dimensions, Groups, Layers, attention, mlp, norm, parameter
from servespec.models.rope import rope_tables

ARCHITECTURES = ("CohereForCausalLM", "Cohere2ForCausalLM")
MODEL_TYPES = ("cohere", "cohere2")

PATTERN = 4  # configuration_cohere2.py: every fourth layer attends to everything


def sliding_layers(config: Config) -> tuple[Layers, int | None]:
    """Cohere2's layers with a window, and the window."""
    window = config.optional("sliding_window")
    if config.model_type != "cohere2" or not window:
        return (), None
    kinds = config.words("layer_types")
    layers = range(config.layers)
    if kinds:
        return tuple(i for i, kind in zip(layers, kinds, strict=False) if kind == "sliding_attention"), window
    pattern = config.size("sliding_window_pattern", "_sliding_window_pattern", default=PATTERN)
    return tuple(layer for layer in layers if (layer + 1) % pattern), window


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    sliding, window = sliding_layers(config)
    block = "model.layers.{layer}"
    bias = config.flag("attention_bias")
    groups: Groups = (
        *llama.frame(size, tied=config.tied),
        *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers),
        *norm(f"{block}.input_layernorm", size.hidden, layers),
    )
    if config.flag("use_qk_norm"):
        for name, heads in (("q_norm", size.heads), ("k_norm", size.kv_heads)):
            groups += parameter(
                f"{block}.self_attn.{name}.weight",
                (heads, size.head_dim),
                layers,
                split=Split.heads,
                heads=heads,
                kind=TensorKind.norm,
            )
    return Architecture(
        family="cohere",
        size=size,
        tensors=groups,
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        sliding_window=window,
    )
