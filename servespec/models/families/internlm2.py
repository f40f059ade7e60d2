"""InternLM 2 and Baichuan: Llama under other names (vLLM 0.32.0 models/internlm2.py; Baichuan's modeling_baichuan.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage
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
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("InternLM2ForCausalLM", "BaiChuanForCausalLM", "BaichuanForCausalLM")
MODEL_TYPES = ("internlm2", "baichuan")

BAICHUAN_7B_HIDDEN = 4096  # the 13B models use ALiBi instead of rotary positions (their modeling_baichuan.py)


def internlm2(config: Config, size: Dimensions) -> Groups:
    """InternLM 2's tensors."""
    block = "model.layers.{layer}"
    layers = size.every_layer
    bias = config.flag("bias")
    return (
        *embedding("model.tok_embeddings", size.vocab, size.hidden),
        *attention(
            f"{block}.attention",
            size,
            layers,
            bias=bias,
            output_bias=bias,
            names=("wqkv", "wqkv", "wqkv", "wo"),
        ),
        *mlp(f"{block}.feed_forward", size.hidden, size.intermediate, layers, names=("w1", "w3", "w2")),
        *norms((f"{block}.attention_norm", f"{block}.ffn_norm"), size.hidden, layers),
        *norm("model.norm", size.hidden, stage=Stage.last),
        *lm_head("output", size.vocab, size.hidden, tied=config.tied),
    )


def baichuan(config: Config, size: Dimensions) -> Groups:
    """Baichuan's tensors."""
    block = "model.layers.{layer}"
    layers = size.every_layer
    return (
        *embedding("model.embed_tokens", size.vocab, size.hidden),
        *attention(f"{block}.self_attn", size, layers, names=("W_pack", "W_pack", "W_pack", "o_proj")),
        *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        *norm("model.norm", size.hidden, stage=Stage.last),
        *lm_head("lm_head", size.vocab, size.hidden, tied=config.tied),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    second = config.model_type == "internlm2"
    rotary = second or size.hidden == BAICHUAN_7B_HIDDEN
    return Architecture(
        family="internlm2",
        size=size,
        tensors=internlm2(config, size) if second else baichuan(config, size),
        kv=(full_attention(size, size.every_layer),),
        rope=rope_tables(config, size.head_dim) if rotary else (),
        tied_embeddings=config.tied,
    )
