"""GLM-4 (0414), GLM-4.5 and 4.6, and their MTP layers (vLLM 0.32.0 models/glm4.py, glm4_moe.py, glm4_moe_mtp.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.facts import Part, Split, Stage, TensorKind
from servespec.models.families import deepseek, llama
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    linear,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("GlmForCausalLM", "Glm4ForCausalLM", "Glm4MoeForCausalLM")
MODEL_TYPES = ("glm", "glm4", "glm4_moe")


def projections(
    config: Config, size: Dimensions, block: str, layers: Layers, part: Part = Part.decoder
) -> Groups:
    """Attention, with norms over each head where the configuration says so."""
    # GLM-4.1V's decoder has biases always (modeling_glm4v.py), the others as the configuration says
    bias = config.flag("attention_bias", default=config.model_type == "glm4v_text")
    groups = attention(f"{block}.self_attn", size, layers, bias=bias, part=part)
    if config.flag("use_qk_norm"):
        for name in ("q_norm", "k_norm"):
            groups += norm(f"{block}.self_attn.{name}", size.head_dim, layers, part=part)
    for name in ("input_layernorm", "post_attention_layernorm"):
        groups += norm(f"{block}.{name}", size.hidden, layers, part=part)
    return groups


def mixture(config: Config, size: Dimensions, model: str, *, tied: bool) -> Architecture:
    """GLM-4.5: DeepSeek's experts with plain attention."""
    layers = size.every_layer
    sparse = deepseek.sparse_layers(config, layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    moe = deepseek.mixture(config, sparse)
    block = f"{model}.layers.{{layer}}"
    groups: Groups = (
        *llama.frame(size, model, tied=tied),
        *projections(config, size, block, layers),
        *(mlp(f"{block}.mlp", size.hidden, size.intermediate, dense) if dense else ()),
    )
    count = config.integer("num_nextn_predict_layers", default=0, most=64)
    drafts = tuple(range(size.layers, size.layers + count))
    keeps = [full_attention(size, layers)]
    if moe is not None:
        groups += deepseek.experts(config, size, f"{block}.mlp", moe, sparse)
        if drafts:
            keeps.append(replace(full_attention(size, drafts), part=Part.mtp))
            groups += draft(config, size, block, drafts)
            groups += deepseek.experts(config, size, f"{block}.mlp", moe, drafts, Part.mtp)
    return Architecture(
        family="glm4",
        size=size,
        tensors=groups,
        kv=tuple(keeps),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=tied,
        moe=moe,
    )


def draft(config: Config, size: Dimensions, block: str, layers: Layers) -> Groups:
    """What an MTP layer has beside its experts; it repeats the embedding and the output layer."""
    part, hidden = Part.mtp, size.hidden
    groups: Groups = (
        *projections(config, size, block, layers, part),
        *linear(f"{block}.eh_proj", hidden, 2 * hidden, layers, part=part, kind=TensorKind.router),
    )
    for name in ("enorm", "hnorm", "shared_head.norm"):
        groups += norm(f"{block}.{name}", hidden, layers, part=part)
    for name, kind in (("embed_tokens", TensorKind.embedding), ("shared_head.head", TensorKind.lm_head)):
        groups += parameter(
            f"{block}.{name}.weight",
            (size.vocab, hidden),
            layers,
            kind=kind,
            split=Split.vocabulary,
            part=part,
            stage=Stage.last,
        )
    return groups


def text_decoder(config: Config, model: str = "model") -> Architecture:
    """A whole decoder whose tensors begin with ``model``; ``config`` may nest the language model."""
    tied = config.tied
    config = config.language
    size = Dimensions.read(config)
    if config.raw("n_routed_experts"):
        return mixture(config, size, model, tied=tied)
    layers = size.every_layer
    block = f"{model}.layers.{{layer}}"
    groups: Groups = (
        *llama.frame(size, model, tied=tied),
        *projections(config, size, block, layers),
        *mlp(
            f"{block}.mlp",
            size.hidden,
            size.intermediate,
            layers,
            names=("gate_up_proj", "gate_up_proj", "down_proj"),
        ),
    )
    if config.model_type != "glm":
        groups += norms(
            (f"{block}.post_self_attn_layernorm", f"{block}.post_mlp_layernorm"), size.hidden, layers
        )
    return Architecture(
        family="glm4",
        size=size,
        tensors=groups,
        kv=(full_attention(size, layers),),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=tied,
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    return text_decoder(config)
