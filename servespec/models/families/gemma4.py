"""Gemma 4: two head sizes, shared KV layers, per-layer embeddings, experts (vLLM 0.32.0 models/gemma4.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE, RopeTable, Split, TensorKind
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention, windowed
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    experts_mlp,
    linear,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.families.towers import gemma4
from servespec.models.rope import rope_table

ARCHITECTURES = ("Gemma4ForCausalLM", "Gemma4ForConditionalGeneration")
MODEL_TYPES = ("gemma4", "gemma4_text")


def layer_kinds(config: Config) -> tuple[Layers, Layers]:
    """Sliding layers and full ones: by ``layer_types``, else every sixth is full and so is the last."""
    layers = range(config.layers)
    kinds = config.words("layer_types") or tuple(
        "full_attention" if (layer + 1) % 6 == 0 or layer == config.layers - 1 else "sliding_attention"
        for layer in layers
    )
    pairs = list(zip(layers, kinds, strict=False))
    return (
        tuple(layer for layer, kind in pairs if kind == "sliding_attention"),
        tuple(layer for layer, kind in pairs if kind == "full_attention"),
    )


def attention(
    config: Config, size: Dimensions, block: str, layers: Layers, shared_from: int, *, keys_are_values: bool
) -> Groups:
    """The projections of layers of one kind; those from ``shared_from`` on use an earlier layer's keys and values.

    Checkpoints ship key and value projections for the sharing layers too; engines may drop them
    (``extra["first_kv_shared_layer"]``).
    """
    hidden, head_dim = size.hidden, size.head_dim
    bias = config.flag("attention_bias")
    groups: Groups = (
        *linear(
            f"{block}.q_proj", size.heads * head_dim, hidden, layers, Split.heads, bias=bias, heads=size.heads
        ),
        *linear(f"{block}.o_proj", hidden, size.heads * head_dim, layers, Split.columns, bias=bias),
        *norm(f"{block}.q_norm", head_dim, layers),
    )
    own = tuple(layer for layer in layers if layer < shared_from)
    sharing = tuple(layer for layer in layers if layer >= shared_from)
    for which in (own, sharing):
        if not which:
            continue
        for name in ("k_proj",) if keys_are_values else ("k_proj", "v_proj"):
            groups += linear(
                f"{block}.{name}",
                size.kv_heads * head_dim,
                hidden,
                which,
                Split.heads,
                bias=bias,
                heads=size.kv_heads,
            )
        groups += norm(f"{block}.k_norm", head_dim, which)
    return groups


def experts(config: Config, size: Dimensions, block: str, layers: Layers) -> tuple[Groups, MoE | None]:
    """Experts beside the dense block of each layer."""
    if not config.flag("enable_moe_block"):
        return (), None
    count = config.size("num_experts", most=MOST_EXPERTS)
    width = config.size("moe_intermediate_size", "expert_intermediate_size")
    hidden = size.hidden
    names = ("gate_up_proj", "gate_up_proj", "down_proj")
    groups: Groups = (
        *parameter(f"{block}.router.scale", (hidden,), layers),
        *parameter(f"{block}.router.per_expert_scale", (count,), layers),
        *linear(f"{block}.router.proj", count, hidden, layers, kind=TensorKind.router),
        *experts_mlp(f"{block}.experts.{{expert}}", count, hidden, width, layers, names=names),
        *norms(
            (
                f"{block}.{name}_feedforward_layernorm{suffix}"
                for name, suffix in (("post", "_1"), ("post", "_2"), ("pre", "_2"))
            ),
            hidden,
            layers,
        ),
    )
    return groups, MoE(
        experts=count,
        experts_per_token=config.size("top_k_experts", "num_experts_per_tok"),
        intermediate_size=width,
        layers=layers,
    )


def per_layer_embeddings(config: Config, size: Dimensions, model: str, layers: Layers) -> Groups:
    """Small embeddings of every token for every layer."""
    width = config.integer("hidden_size_per_layer_input", default=0)
    if not width:
        return ()
    block = f"{model}.layers.{{layer}}"
    whole = size.layers * width
    return (
        *parameter(
            f"{model}.embed_tokens_per_layer.weight",
            (config.size("vocab_size_per_layer_input", default=size.vocab), whole),
            kind=TensorKind.embedding,
            split=Split.vocabulary,
        ),
        *linear(f"{model}.per_layer_model_projection", whole, size.hidden, (), kind=TensorKind.router),
        *norm(f"{model}.per_layer_projection_norm", width),
        *linear(f"{block}.per_layer_input_gate", width, size.hidden, layers),
        *linear(f"{block}.per_layer_projection", size.hidden, width, layers),
        *norm(f"{block}.post_per_layer_input_norm", size.hidden, layers),
    )


def rope(config: Config, head_dim: int, global_dim: int) -> tuple[RopeTable, ...]:
    """A table for each kind of layer, over its own head size."""
    parameters = config.mapping("rope_parameters")
    positions = config.size("max_position_embeddings")
    tables = []
    for kind, width in (("sliding_attention", head_dim), ("full_attention", global_dim)):
        own = parameters.get(kind)
        tables.append(rope_table(own if isinstance(own, dict) else {}, width, positions))
    return tuple(table for table in tables if table is not None)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    size = Dimensions.read(text)
    nested = text is not config
    model = "model.language_model" if nested else "model"
    block = f"{model}.layers.{{layer}}"
    layers = size.every_layer
    sliding, full = layer_kinds(text)
    shared_from = size.layers - text.integer("num_kv_shared_layers", default=0)
    window = text.size("sliding_window")
    keys_are_values = text.flag("attention_k_eq_v")
    wide = replace(
        size,
        head_dim=text.optional("global_head_dim") or size.head_dim,
        kv_heads=(text.optional("num_global_key_value_heads") if keys_are_values else None) or size.kv_heads,
    )
    doubled = tuple(layer for layer in layers if layer >= shared_from and text.flag("use_double_wide_mlp"))
    plain = tuple(layer for layer in layers if layer not in set(doubled))
    mixture, moe = experts(text, size, block, layers)
    names = ("input", "post_attention", "pre_feedforward", "post_feedforward")
    groups: Groups = (
        *llama.frame(size, model, tied=True),
        *attention(text, size, f"{block}.self_attn", sliding, shared_from, keys_are_values=False),
        *attention(text, wide, f"{block}.self_attn", full, shared_from, keys_are_values=keys_are_values),
        *(mlp(f"{block}.mlp", size.hidden, size.intermediate, plain) if plain else ()),
        *(mlp(f"{block}.mlp", size.hidden, 2 * size.intermediate, doubled) if doubled else ()),
        *norms((f"{block}.{name}_layernorm" for name in names), size.hidden, layers),
        *parameter(f"{block}.layer_scalar", (1,), layers),
        *mixture,
        *per_layer_embeddings(text, size, model, layers),
    )
    vision, audio = (config.sub("vision_config"), config.sub("audio_config")) if nested else (None, None)
    if vision is not None:
        groups += gemma4.vision(vision, size.hidden, "model.vision_tower", "model.embed_vision")
    if audio is not None:
        groups += gemma4.audio(audio, size.hidden, "model.audio_tower", "model.embed_audio")
    keeping = {layer for layer in layers if layer < shared_from}
    return Architecture(
        family="gemma4",
        size=size,
        tensors=groups,
        kv=tuple(
            entry
            for entry in (
                full_attention(wide, tuple(layer for layer in full if layer in keeping)),
                windowed(size, tuple(layer for layer in sliding if layer in keeping), window),
            )
            if entry.layers
        ),
        rope=rope(text, size.head_dim, wide.head_dim),
        tied_embeddings=True,
        sliding_window=window,
        moe=moe,
        vision=None
        if vision is None
        else gemma4.facts(vision, config.optional("vision_soft_tokens_per_image")),
        has_audio=audio is not None,
        extra={
            "first_kv_shared_layer": shared_from,
            "attention_k_eq_v": keys_are_values,
            "hidden_size_per_layer_input": text.integer("hidden_size_per_layer_input", default=0),
            "global_head_dim": wide.head_dim,
        },
    )
