"""Llama 4: chunked attention in three of four layers, one expert a token beside a shared one.

vLLM 0.32.0: models/llama4.py, mllama4.py; transformers 5.19.0: modeling_llama4.py.
"""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import KVKind, MoE, Part, Split, TensorKind, Vision
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention, windowed
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    experts_mlp,
    linear,
    mlp,
    norm,
    norms,
    parameter,
    router,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("Llama4ForCausalLM", "Llama4ForConditionalGeneration")
MODEL_TYPES = ("llama4", "llama4_text")

NO_ROPE_INTERVAL = 4  # configuration_llama4.py: no_rope_layer_interval; those layers see everything
PART = Part.vision


def kinds(config: Config, layers: Layers) -> tuple[Layers, Layers]:
    """Layers with chunked attention and layers that attend to everything."""
    named = config.words("layer_types")
    if named:
        chunked = tuple(
            layer for layer, kind in zip(layers, named, strict=False) if kind == "chunked_attention"
        )
    else:
        uses_rope = config.integers("no_rope_layers")
        interval = config.size("no_rope_layer_interval", default=NO_ROPE_INTERVAL)
        if uses_rope:
            chunked = tuple(layer for layer, rope in zip(layers, uses_rope, strict=False) if rope)
        else:
            chunked = tuple(layer for layer in layers if (layer + 1) % interval)
    return chunked, tuple(layer for layer in layers if layer not in set(chunked))


def expert_layers(config: Config, layers: Layers) -> Layers:
    """The layers that have experts: listed, or every ``interleave_moe_layer_step``-th."""
    listed = config.integers("moe_layers")
    if listed:
        return tuple(layer for layer in layers if layer in set(listed))
    step = config.size("interleave_moe_layer_step", default=1)
    return tuple(range(step - 1, len(layers), step))


def tower(config: Config, prefix: str) -> Groups:
    """The vision tower and its adapter."""
    width, intermediate = config.size("hidden_size"), config.size("intermediate_size")
    heads, count = config.size("num_attention_heads"), config.layers
    patch = config.size("patch_size")
    patches = (config.size("image_size") // patch) ** 2 + 1
    channels = config.size("num_channels", default=3)
    block = f"{prefix}.model.layers.{{block}}"
    groups: Groups = (
        *linear(f"{prefix}.patch_embedding.linear", width, channels * patch * patch, (), part=PART),
        *parameter(f"{prefix}.class_embedding", (width,), part=PART),
        *parameter(
            f"{prefix}.positional_embedding_vlm", (patches, width), part=PART, kind=TensorKind.embedding
        ),
        *norm(f"{prefix}.layernorm_pre", width, bias=True, part=PART),
        *norm(f"{prefix}.layernorm_post", width, bias=True, part=PART),
    )
    for name in ("q_proj", "k_proj", "v_proj"):
        groups += linear(
            f"{block}.self_attn.{name}",
            width,
            width,
            (),
            Split.heads,
            bias=True,
            heads=heads,
            copies=count,
            part=PART,
        )
    groups += linear(
        f"{block}.self_attn.o_proj", width, width, (), Split.columns, bias=True, copies=count, part=PART
    )
    groups += linear(
        f"{block}.mlp.fc1", intermediate, width, (), Split.rows, bias=True, copies=count, part=PART
    )
    groups += linear(
        f"{block}.mlp.fc2", width, intermediate, (), Split.columns, bias=True, copies=count, part=PART
    )
    for name in ("input_layernorm", "post_attention_layernorm"):
        groups += norm(f"{block}.{name}", width, bias=True, copies=count, part=PART)
    first, second = config.size("projector_input_dim"), config.size("projector_output_dim")
    adapter = f"{prefix}.vision_adapter.mlp"
    return (
        *groups,
        *linear(f"{adapter}.fc1", first, intermediate, (), Split.rows, part=PART),
        *linear(f"{adapter}.fc2", second, first, (), Split.columns, part=PART),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    nested = text is not config
    size = Dimensions.read(text)
    tied = config.tied
    layers = size.every_layer
    chunked, full = kinds(text, layers)
    chunk = text.optional("attention_chunk_size")
    sparse = expert_layers(text, layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    count = text.size("num_local_experts", most=MOST_EXPERTS)
    model = "language_model.model" if nested else "model"
    head = "language_model.lm_head" if nested else "lm_head"
    block = f"{model}.layers.{{layer}}"
    bias = text.flag("attention_bias")
    names = ("gate_up_proj", "gate_up_proj", "down_proj")
    groups: Groups = (
        *llama.frame(size, model, head, tied=tied),
        *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        *router(f"{block}.feed_forward.router", count, size.hidden, sparse),
        *experts_mlp(
            f"{block}.feed_forward.experts.{{expert}}",
            count,
            size.hidden,
            size.intermediate,
            sparse,
            names=names,
        ),
        *mlp(f"{block}.feed_forward.shared_expert", size.hidden, size.intermediate, sparse),
    )
    if dense:
        groups += mlp(f"{block}.feed_forward", size.hidden, text.size("intermediate_size_mlp"), dense)
    vision = config.sub("vision_config") if nested else None
    facts = None
    if vision is not None:
        groups += tower(vision, "vision_model")
        groups += linear(
            "multi_modal_projector.linear_1",
            size.hidden,
            vision.size("vision_output_dim"),
            (),
            Split.rows,
            part=Part.projector,
        )
        facts = Vision(
            hidden_size=vision.size("hidden_size"),
            intermediate_size=vision.size("intermediate_size"),
            layers=vision.layers,
            heads=vision.size("num_attention_heads"),
            patch_size=vision.size("patch_size"),
            image_size=vision.size("image_size"),
        )
    local = windowed(size, chunked, chunk, KVKind.chunked) if chunk else full_attention(size, chunked)
    return Architecture(
        family="llama4",
        size=size,
        tensors=groups,
        kv=tuple(entry for entry in (full_attention(size, full), local) if entry.layers),
        rope=rope_tables(text, size.head_dim),
        tied_embeddings=tied,
        moe=MoE(
            experts=count,
            experts_per_token=text.size("num_experts_per_tok"),
            intermediate_size=size.intermediate,
            layers=sparse,
            shared_intermediate_size=size.intermediate,
        ),
        vision=facts,
    )
