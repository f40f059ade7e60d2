"""Phi-1.5, Phi-2 and StableLM: norms with biases, part of a head rotates (vLLM 0.32.0 models/stablelm.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage, TensorKind
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    attention,
    embedding,
    lm_head,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("PhiForCausalLM", "StableLmForCausalLM", "StableLMEpochForCausalLM")
MODEL_TYPES = ("phi", "stablelm", "stablelm_epoch")


def phi(config: Config, size: Dimensions) -> Groups:
    """Phi's tensors: attention and feed-forward block side by side behind one norm."""
    block = "model.layers.{layer}"
    layers = size.every_layer
    groups: Groups = (
        *attention(
            f"{block}.self_attn",
            size,
            layers,
            bias=True,
            output_bias=True,
            names=("q_proj", "k_proj", "v_proj", "dense"),
        ),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers, bias=True, names=("fc1", "fc2")),
        *norm(f"{block}.input_layernorm", size.hidden, layers, bias=True),
        *norm("model.final_layernorm", size.hidden, bias=True, stage=Stage.last),
        *lm_head("lm_head", size.vocab, size.hidden, bias=True, tied=config.tied),
    )
    if config.flag("qk_layernorm"):
        groups += norms(
            (f"{block}.self_attn.q_layernorm", f"{block}.self_attn.k_layernorm"),
            size.head_dim,
            layers,
            bias=True,
        )
    return groups


def stablelm(config: Config, size: Dimensions) -> Groups:
    """StableLM's tensors."""
    block = "model.layers.{layer}"
    layers = size.every_layer
    names = (
        ["input_layernorm"]
        if config.flag("use_parallel_residual")
        else ["input_layernorm", "post_attention_layernorm"]
    )
    groups: Groups = (
        *attention(f"{block}.self_attn", size, layers, bias=config.flag("use_qkv_bias")),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers),
        *norms((f"{block}.{name}" for name in names), size.hidden, layers, bias=True),
        *norm("model.norm", size.hidden, bias=True, stage=Stage.last),
        *lm_head("lm_head", size.vocab, size.hidden, tied=config.tied),
    )
    if config.flag("qk_layernorm"):
        for name, heads in (("q_layernorm", size.heads), ("k_layernorm", size.kv_heads)):
            groups += parameter(
                f"{block}.self_attn.{name}.norms.weight", (heads, size.head_dim), layers, kind=TensorKind.norm
            )
    return groups


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    own = phi if config.model_type == "phi" else stablelm
    return Architecture(
        family="phi",
        size=size,
        tensors=(*embedding("model.embed_tokens", size.vocab, size.hidden), *own(config, size)),
        kv=(full_attention(size, size.every_layer),),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
    )
