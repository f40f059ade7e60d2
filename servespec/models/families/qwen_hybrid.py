"""Qwen3-Next, Qwen3.5, 3.6 and 3.8: gated delta nets, and full attention in every fourth layer.

vLLM 0.32.0: models/qwen3_next.py, qwen3_5.py, qwen3_5_mtp.py, layers/mamba/mamba_utils.py.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.facts import KVKind, KVLayers, MoE, Part, Split, StateTensor, TensorKind
from servespec.models.families import llama, qwen_moe
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    counted_apart,
    linear,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.families.towers import qwen
from servespec.models.rope import rope_tables

ARCHITECTURES = (
    "Qwen3NextForCausalLM",
    "Qwen3_5ForCausalLM",
    "Qwen3_5MoeForCausalLM",
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration",
)
MODEL_TYPES = ("qwen3_next", "qwen3_5", "qwen3_5_moe", "qwen3_5_text", "qwen3_5_moe_text")


def full_layers(config: Config, layers: Layers) -> Layers:
    """The layers with full attention: by ``layer_types``, else every ``full_attention_interval``-th."""
    kinds = config.words("layer_types")
    if kinds:
        return tuple(layer for layer, kind in zip(layers, kinds, strict=False) if kind == "full_attention")
    interval = config.size("full_attention_interval", default=4)
    return tuple(layer for layer in layers if (layer + 1) % interval == 0)


def delta_net(config: Config, hidden: int, block: str, layers: Layers) -> tuple[Groups, KVLayers]:
    """Tensors and states of gated delta nets; ``block`` ends in ``linear_attn``."""
    key_heads, value_heads = config.size("linear_num_key_heads"), config.size("linear_num_value_heads")
    key_dim, value_dim = config.size("linear_key_head_dim"), config.size("linear_value_head_dim")
    kernel = config.size("linear_conv_kernel_dim")
    keys, values = key_heads * key_dim, value_heads * value_dim
    channels = 2 * keys + values
    groups: Groups
    if config.model_type == "qwen3_next":
        groups = (
            *linear(f"{block}.in_proj_qkvz", channels + values, hidden, layers, Split.rows),
            *linear(f"{block}.in_proj_ba", 2 * value_heads, hidden, layers, Split.rows),
        )
    else:
        groups = (
            *linear(f"{block}.in_proj_qkv", channels, hidden, layers, Split.rows),
            *linear(f"{block}.in_proj_z", values, hidden, layers, Split.rows),
            *linear(f"{block}.in_proj_b", value_heads, hidden, layers, Split.rows),
            *linear(f"{block}.in_proj_a", value_heads, hidden, layers, Split.rows),
        )
    groups += (
        *parameter(
            f"{block}.conv1d.weight", (channels, 1, kernel), layers, split=Split.rows, kind=TensorKind.conv
        ),
        *parameter(f"{block}.dt_bias", (value_heads,), layers, split=Split.rows),
        *parameter(f"{block}.A_log", (value_heads,), layers, split=Split.rows),
        *norm(f"{block}.norm", value_dim, layers),
        *linear(f"{block}.out_proj", hidden, values, layers, Split.columns),
    )
    state_dtype = config.text("mamba_ssm_dtype") or None
    return groups, KVLayers(
        kind=KVKind.recurrent,
        layers=layers,
        state_type="gdn",
        states=(
            StateTensor((kernel - 1, channels), 1),
            StateTensor((value_heads, value_dim, key_dim), 0, state_dtype),
        ),
    )


def gated_attention(
    config: Config, size: Dimensions, block: str, layers: Layers, part: Part = Part.decoder
) -> Groups:
    """Full attention whose query projection carries a gate; ``block`` ends in ``self_attn``."""
    bias = config.flag("attention_bias")
    gate = config.flag("attn_output_gate", default=True)
    groups = attention(block, size, layers, bias=bias, output_bias=bias, output_gate=gate, part=part)
    for name in ("q_norm", "k_norm"):
        groups += norm(f"{block}.{name}", size.head_dim, layers, part=part)
    return groups


def feed_forward(config: Config, size: Dimensions, block: str, layers: Layers) -> tuple[Groups, MoE | None]:
    """Experts with a shared one, or a plain block; ``block`` ends in ``{layer}``."""
    if config.raw("num_experts"):
        return qwen_moe.feed_forward(config, size, block, layers)
    return mlp(f"{block}.mlp", size.hidden, size.intermediate, layers), None


def mtp(config: Config, size: Dimensions) -> tuple[Groups, tuple[KVLayers, ...]]:
    """The layers that predict further tokens; they share embedding and output layer."""
    count = config.integer("mtp_num_hidden_layers", "num_nextn_predict_layers", default=0, most=64)
    if not count:
        return (), ()
    layers = tuple(range(size.layers, size.layers + count))
    block = "mtp.layers.{layer}"
    hidden = size.hidden
    forward, _ = feed_forward(config, size, block, layers)
    groups: Groups = (
        *linear("mtp.fc", hidden, 2 * hidden, (), part=Part.mtp, kind=TensorKind.router),
        *norm("mtp.norm", hidden, part=Part.mtp),
        *norm("mtp.pre_fc_norm_hidden", hidden, part=Part.mtp),
        *norm("mtp.pre_fc_norm_embedding", hidden, part=Part.mtp),
        *gated_attention(config, size, f"{block}.self_attn", layers, Part.mtp),
        *norm(f"{block}.input_layernorm", hidden, layers, part=Part.mtp),
        *norm(f"{block}.post_attention_layernorm", hidden, layers, part=Part.mtp),
        *(replace(group, part=Part.mtp) for group in forward),
    )
    return counted_apart(groups, count), (replace(full_attention(size, layers), part=Part.mtp),)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    tied = config.tied
    size = Dimensions.read(text)
    nested = text is not config
    model = "model.language_model" if nested else "model"
    layers = size.every_layer
    full = full_layers(text, layers)
    linear_layers = tuple(layer for layer in layers if layer not in set(full))
    block = f"{model}.layers.{{layer}}"
    recurrent, states = delta_net(text, size.hidden, f"{block}.linear_attn", linear_layers)
    forward, moe = feed_forward(text, size, block, layers)
    drafts, draft_keeps = mtp(text, size)
    tower = config.sub("vision_config") if nested else None
    return Architecture(
        family="qwen_hybrid",
        size=size,
        tensors=(
            *llama.frame(size, model, tied=tied),
            *recurrent,
            *gated_attention(text, size, f"{block}.self_attn", full),
            *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
            *forward,
            *drafts,
            *(() if tower is None else qwen.tensors(tower, size.hidden, "model.visual")),
        ),
        kv=(full_attention(size, full), states, *draft_keeps),
        rope=rope_tables(text, size.head_dim),
        tied_embeddings=tied,
        moe=moe,
        vision=None if tower is None else qwen.facts(tower),
    )
