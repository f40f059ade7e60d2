"""Gemma 3n's decoder: alternating updates, low-rank residuals, per-layer embeddings (vLLM 0.32.0 models/gemma3n.py).

Its vision tower (MobileNet-V5) and audio tower are not modelled: a checkpoint that has them says so.
"""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Split, TensorKind
from servespec.models.families import gemma4, llama
from servespec.models.families.architecture import Architecture, full_attention, windowed
from servespec.models.families.blocks import Dimensions, Groups, Layers, linear, mlp, norm, norms, parameter
from servespec.models.rope import rope_table

ARCHITECTURES = ("Gemma3nForCausalLM", "Gemma3nForConditionalGeneration")
MODEL_TYPES = ("gemma3n", "gemma3n_text")

PATTERN = 5  # configuration_gemma3n.py: every fifth layer attends to everything


def layer_kinds(config: Config, layers: Layers) -> tuple[Layers, Layers]:
    """Sliding layers and full ones."""
    kinds = config.words("layer_types")
    full = tuple(
        layer
        for layer in layers
        if (kinds[layer] == "full_attention" if layer < len(kinds) else (layer + 1) % PATTERN == 0)
    )
    return tuple(layer for layer in layers if layer not in set(full)), full


def widths(config: Config, layers: Layers) -> dict[int, Layers]:
    """Width of the feed-forward block → the layers that have it."""
    listed = config.raw("intermediate_size")
    if not isinstance(listed, list):
        return {config.size("intermediate_size"): layers}
    found: dict[int, list[int]] = {}
    for layer, width in zip(layers, config.integers("intermediate_size"), strict=False):
        found.setdefault(width, []).append(layer)
    return {width: tuple(places) for width, places in found.items()}


def updates(config: Config, hidden: int, model: str, layers: Layers) -> Groups:
    """AltUp (several streams, one of them active) and LAuReL (a low-rank residual)."""
    streams, rank = config.size("altup_num_inputs"), config.size("laurel_rank")
    block = f"{model}.layers.{{layer}}"
    other = streams - 1
    groups: Groups = (
        *parameter(f"{block}.altup.correct_output_scale", (hidden,), layers),
        *linear(f"{block}.altup.correction_coefs", streams, streams, layers, kind=TensorKind.router),
        *linear(
            f"{block}.altup.prediction_coefs", streams * streams, streams, layers, kind=TensorKind.router
        ),
        *linear(f"{block}.altup.modality_router", streams, hidden, layers, kind=TensorKind.router),
        *norm(f"{block}.altup.router_norm", hidden, layers),
        *linear(f"{block}.laurel.linear_left", rank, hidden, layers, Split.rows),
        *linear(f"{block}.laurel.linear_right", hidden, rank, layers, Split.columns),
        *norm(f"{block}.laurel.post_laurel_norm", hidden, layers),
    )
    if other:
        for name in ("altup_projections", "altup_unembed_projections"):
            groups += linear(f"{model}.{name}.{{block}}", hidden, hidden, (), copies=other)
    return groups


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    nested = text is not config
    model = "model.language_model" if nested else "model"
    layers = tuple(range(text.layers))
    by_width = widths(text, layers)
    heads = text.size("num_attention_heads")
    size = Dimensions(
        hidden=text.size("hidden_size"),
        intermediate=max(by_width),
        layers=len(layers),
        heads=heads,
        kv_heads=text.size("num_key_value_heads", default=heads),
        head_dim=text.size("head_dim"),
        vocab=text.size("vocab_size"),
    )
    sliding, full = layer_kinds(text, layers)
    shared_from = size.layers - text.integer("num_kv_shared_layers", default=0)
    window = text.size("sliding_window")
    block = f"{model}.layers.{{layer}}"
    names = ("input", "post_attention", "pre_feedforward", "post_feedforward")
    groups: Groups = (
        *llama.frame(size, model, tied=True),
        *gemma4.attention(text, size, f"{block}.self_attn", layers, shared_from, keys_are_values=False),
        *norms((f"{block}.{name}_layernorm" for name in names), size.hidden, layers),
        *updates(text, size.hidden, model, layers),
        *gemma4.per_layer_embeddings(text, size, model, layers),
    )
    for width, which in by_width.items():
        groups += mlp(f"{block}.mlp", size.hidden, width, which)
    positions = text.size("max_position_embeddings")
    tables = tuple(table for table in [rope_table({}, size.head_dim, positions)] * 2 if table is not None)
    return Architecture(
        family="gemma3n",
        size=size,
        tensors=groups,
        kv=(
            full_attention(size, tuple(layer for layer in full if layer < shared_from)),
            windowed(size, tuple(layer for layer in sliding if layer < shared_from), window),
        ),
        rope=tables,
        tied_embeddings=True,
        sliding_window=window,
        unmodelled=("the vision and audio towers of Gemma 3n",) if nested else (),
        extra={
            "first_kv_shared_layer": shared_from,
            "hidden_size_per_layer_input": text.integer("hidden_size_per_layer_input", default=0),
        },
    )
