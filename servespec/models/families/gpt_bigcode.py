"""GPTBigCode (StarCoder): learned positions, one key/value head (transformers modeling_gpt_bigcode.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage, TensorKind
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    attention,
    embedding,
    lm_head,
    mlp,
    norm,
    norms,
    parameter,
)

ARCHITECTURES = ("GPTBigCodeForCausalLM",)
MODEL_TYPES = ("gpt_bigcode",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    hidden = config.size("n_embd")
    heads = config.size("n_head")
    size = Dimensions(
        hidden=hidden,
        intermediate=config.optional("n_inner") or 4 * hidden,
        layers=config.layers,
        heads=heads,
        kv_heads=1 if config.flag("multi_query", default=True) else heads,
        head_dim=hidden // heads,
        vocab=config.size("vocab_size"),
    )
    layers = size.every_layer
    block = "transformer.h.{layer}"
    tied = config.tied
    return Architecture(
        family="gpt_bigcode",
        size=size,
        tensors=(
            *embedding("transformer.wte", size.vocab, hidden),
            *parameter(
                "transformer.wpe.weight", (config.size("n_positions"), hidden), kind=TensorKind.embedding
            ),
            *attention(
                f"{block}.attn",
                size,
                layers,
                bias=True,
                output_bias=True,
                names=("c_attn", "c_attn", "c_attn", "c_proj"),
            ),
            *mlp(f"{block}.mlp", hidden, size.intermediate, layers, bias=True, names=("c_fc", "c_proj")),
            *norms((f"{block}.ln_1", f"{block}.ln_2"), hidden, layers, bias=True),
            *norm("transformer.ln_f", hidden, bias=True, stage=Stage.last),
            *lm_head("lm_head", size.vocab, hidden, tied=tied),
        ),
        kv=(full_attention(size, layers),),
        tied_embeddings=tied,
    )
