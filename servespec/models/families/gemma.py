"""Gemma 1, 2 and 3 (vLLM 0.32.0 models/gemma.py, gemma2.py, gemma3.py, gemma3_mm.py, siglip.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import KVLayers, Part, RopeTable
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.families.towers import siglip
from servespec.models.rope import rope_parameters, rope_table, rope_tables

ARCHITECTURES = (
    "GemmaForCausalLM",
    "Gemma2ForCausalLM",
    "Gemma3ForCausalLM",
    "Gemma3ForConditionalGeneration",
)
MODEL_TYPES = ("gemma", "gemma2", "gemma3", "gemma3_text")

# Every n-th layer attends to everything (transformers configuration_gemma2.py, configuration_gemma3.py).
PATTERN = {"gemma2": 2, "gemma3_text": 6}


def sliding_layers(config: Config) -> Layers:
    """The layers with a window: by ``layer_types``, else all but every n-th."""
    layers = range(config.layers)
    kinds = config.words("layer_types")
    if kinds:
        return tuple(i for i, kind in zip(layers, kinds, strict=False) if kind == "sliding_attention")
    pattern = config.integer(
        "sliding_window_pattern", "_sliding_window_pattern", default=PATTERN.get(config.model_type, 0)
    )
    if pattern == 0:
        return ()
    return tuple(layer for layer in layers if (layer + 1) % pattern)


def rope(config: Config, head_dim: int) -> tuple[RopeTable, ...]:
    """Gemma 3 has two tables: scaled for the layers that see everything, plain for the others."""
    if config.model_type != "gemma3_text":
        return rope_tables(config, head_dim)
    positions = config.size("max_position_embeddings")
    found = list(rope_parameters(config)) or [{}]
    tables = [rope_table(parameters, head_dim, positions) for parameters in found]
    if len(found) == 1:
        tables.append(rope_table({}, head_dim, positions))
    # The two differ in their base even where they have one size: both are built.
    return tuple(table for table in tables if table is not None)


def decoder(config: Config, size: Dimensions, model: str) -> Groups:
    """All layers, embeddings and the final norm; the output layer is always the embedding."""
    layers = size.every_layer
    block = f"{model}.layers.{{layer}}"
    names = ["input_layernorm", "post_attention_layernorm"]
    if config.model_type != "gemma":
        names += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    bias = config.flag("attention_bias")
    groups: Groups = (
        *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers),
        *norms((f"{block}.{name}" for name in names), size.hidden, layers),
    )
    if config.model_type == "gemma3_text":
        groups += norms((f"{block}.self_attn.q_norm", f"{block}.self_attn.k_norm"), size.head_dim, layers)
    return groups


def keeps(config: Config, size: Dimensions) -> tuple[tuple[KVLayers, ...], int | None]:
    """KV layers, and the window."""
    window = config.optional("sliding_window") if config.model_type != "gemma" else None
    return attention_layers(size, sliding_layers(config), window), window


def vision(whole: Config, hidden: int) -> Groups:
    """Gemma 3's projector: a norm and a matrix that is no linear layer."""
    tower = whole.sub("vision_config")
    if tower is None:
        return ()
    width = tower.size("hidden_size")
    return (
        *parameter(
            "multi_modal_projector.mm_input_projection_weight",
            (width, hidden),
            part=Part.projector,
        ),
        *norm("multi_modal_projector.mm_soft_emb_norm", width, part=Part.projector),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    size = Dimensions.read(text)
    kv, window = keeps(text, size)
    nested = text is not config
    model = "language_model.model" if nested else "model"
    tower = config.sub("vision_config") if nested else None
    tensors = (*llama.frame(size, model, tied=True), *decoder(text, size, model))
    if tower is not None:
        tensors += (
            *siglip.tensors(
                tower, "vision_tower.vision_model", head=tower.flag("vision_use_head", default=True)
            ),
            *vision(config, size.hidden),
        )
    return Architecture(
        family="gemma",
        size=size,
        tensors=tensors,
        kv=kv,
        rope=rope(text, size.head_dim),
        tied_embeddings=True,
        sliding_window=window,
        vision=None if tower is None else siglip.facts(tower, tokens=config.optional("mm_tokens_per_image")),
    )
