"""Kimi Linear and Kimi-K3: delta attention with a latent-attention layer in every fourth place.

vLLM 0.32.0: models/kimi_k3/nvidia/model.py, kda.py, mla.py, transformers_utils/configs/kimi_linear.py.
"""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import KVKind, KVLayers, MoE, Split, Stage, StateTensor, TensorKind
from servespec.models.families import deepseek, llama
from servespec.models.families.architecture import Architecture
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
    router,
)
from servespec.models.families.towers import moonvit

ARCHITECTURES = ("KimiLinearForCausalLM", "KimiK3ForConditionalGeneration")
MODEL_TYPES = ("kimi_linear", "kimi_k3")


def delta_layers(config: Config, layers: Layers) -> Layers:
    """The layers with delta attention; the configuration counts from 1."""
    listed = Config(config.mapping("linear_attn_config")).integers("kda_layers")
    return tuple(layer for layer in layers if layer + 1 in set(listed))


def delta_attention(config: Config, hidden: int, block: str, layers: Layers) -> tuple[Groups, KVLayers]:
    """Tensors and states of Kimi delta attention; ``block`` ends in ``self_attn``."""
    own = Config(config.mapping("linear_attn_config"), path="linear_attn_config.")
    heads, dim, kernel = own.size("num_heads"), own.size("head_dim"), own.size("short_conv_kernel_size")
    width = heads * dim
    groups: Groups = ()
    for name in ("q", "k", "v"):
        groups += linear(f"{block}.{name}_proj", width, hidden, layers, Split.heads, heads=heads)
        groups += parameter(
            f"{block}.{name}_conv1d.weight",
            (width, 1, kernel),
            layers,
            split=Split.rows,
            kind=TensorKind.conv,
            dtype="float32",
        )
    groups += linear(f"{block}.b_proj", heads, hidden, layers, Split.rows)
    groups += linear(f"{block}.f_a_proj", dim, hidden, layers)
    groups += linear(f"{block}.f_b_proj", width, dim, layers, Split.rows)
    if own.flag("use_full_rank_gate"):
        groups += linear(f"{block}.g_proj", width, hidden, layers, Split.rows)
    else:
        groups += linear(f"{block}.g_a_proj", dim, hidden, layers)
        groups += linear(f"{block}.g_b_proj", width, dim, layers, Split.rows)
    groups += parameter(f"{block}.dt_bias", (width,), layers, split=Split.rows, dtype="float32")
    groups += parameter(f"{block}.A_log", (heads,), layers, split=Split.rows, dtype="float32")
    groups += norm(f"{block}.o_norm", dim, layers)
    groups += linear(f"{block}.o_proj", hidden, width, layers, Split.columns)
    return groups, KVLayers(
        kind=KVKind.recurrent,
        layers=layers,
        state_type="kda",
        states=(
            StateTensor((kernel - 1, 3 * width), 1),
            StateTensor((heads, dim, dim), 0, "float32"),  # mamba_utils.py kda_state_dtype
        ),
    )


def feed_forward(config: Config, size: Dimensions, block: str, moe: MoE, layers: Layers) -> Groups:
    """Experts, in a narrower latent space where there is one; ``block`` ends in ``block_sparse_moe``."""
    latent = config.optional("routed_expert_hidden_size")
    inner = latent or size.hidden
    groups: Groups = (
        *router(f"{block}.gate", moe.experts, size.hidden, layers),
        *parameter(f"{block}.gate.e_score_correction_bias", (moe.experts,), layers, dtype="float32"),
        *experts_mlp(
            f"{block}.experts.{{expert}}",
            moe.experts,
            inner,
            moe.intermediate_size,
            layers,
            names=("w1", "w3", "w2"),
        ),
    )
    if moe.shared_intermediate_size:
        groups += mlp(f"{block}.shared_experts", size.hidden, moe.shared_intermediate_size, layers)
    if latent:
        groups += linear(f"{block}.routed_expert_down_proj", latent, size.hidden, layers)
        groups += linear(f"{block}.routed_expert_up_proj", size.hidden, latent, layers)
        if config.flag("latent_moe_use_norm"):
            groups += norm(f"{block}.routed_expert_norm", latent, layers)
    return groups


def residuals(config: Config, hidden: int, model: str, layers: Layers) -> Groups:
    """Attention over the residuals of earlier blocks."""
    if not config.optional("attn_res_block_size"):
        return ()
    groups: Groups = ()
    for name in ("self_attention_res", "mlp_res"):
        groups += norm(f"{model}.layers.{{layer}}.{name}_norm", hidden, layers)
        groups += linear(f"{model}.layers.{{layer}}.{name}_proj", 1, hidden, layers, kind=TensorKind.router)
    groups += norm(f"{model}.output_attn_res_norm", hidden, stage=Stage.last)
    return (
        *groups,
        *linear(f"{model}.output_attn_res_proj", 1, hidden, (), kind=TensorKind.router, stage=Stage.last),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    text = config.language
    nested = text is not config
    model = "language_model.model" if nested else "model"
    heads, hidden = text.size("num_attention_heads"), text.size("hidden_size")
    size = Dimensions(
        hidden=hidden,
        intermediate=text.size("intermediate_size"),
        layers=text.layers,
        heads=heads,
        kv_heads=heads,
        head_dim=text.size("qk_nope_head_dim") + text.integer("qk_rope_head_dim"),
        vocab=text.size("vocab_size"),
    )
    layers = size.every_layer
    delta = delta_layers(text, layers)
    latent = tuple(layer for layer in layers if layer not in set(delta))
    sparse = deepseek.sparse_layers(text, layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    moe = deepseek.mixture(text, sparse)
    block = f"{model}.layers.{{layer}}"
    recurrent, states = delta_attention(text, hidden, f"{block}.self_attn", delta)
    groups: Groups = (
        *llama.frame(size, model, "language_model.lm_head" if nested else "lm_head", tied=config.tied),
        *recurrent,
        *deepseek.latent_attention(text, size, f"{block}.self_attn", latent),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), hidden, layers),
        *residuals(text, hidden, model, layers),
    )
    if text.flag("mla_use_output_gate"):
        width = heads * text.size("v_head_dim")
        groups += linear(f"{block}.self_attn.g_proj", width, hidden, latent, Split.heads, heads=heads)
    if dense:
        groups += mlp(f"{block}.mlp", hidden, size.intermediate, dense)
    if moe is not None:
        groups += feed_forward(text, size, f"{block}.block_sparse_moe", moe, sparse)
    tower = config.sub("vision_config") if nested else None
    if tower is not None:
        groups += moonvit.tensors(tower, hidden, "vision_tower", "mm_projector")
    drafts = text.integer("num_nextn_predict_layers", default=0)
    return Architecture(
        family="kimi_k3",
        size=size,
        tensors=groups,
        kv=(*deepseek.keeps(text, latent, ()), states),
        rope=() if text.flag("mla_use_nope") else deepseek.rope(text),
        tied_embeddings=config.tied,
        moe=moe,
        vision=None if tower is None else moonvit.facts(tower),
        unmodelled=("the MTP layers of Kimi Linear",) if drafts else (),
        extra={
            "kv_lora_rank": text.size("kv_lora_rank"),
            "qk_rope_head_dim": text.integer("qk_rope_head_dim"),
            "qk_nope_head_dim": text.size("qk_nope_head_dim"),
            "v_head_dim": text.size("v_head_dim"),
            "q_lora_rank": text.integer("q_lora_rank", default=0),
            "moe_latent_size": text.integer("routed_expert_hidden_size", default=0),
            "attn_res_block_size": text.integer("attn_res_block_size", default=0),
        },
    )
