"""GPT-2, GPT-J, GPT-NeoX, BLOOM and OPT: one or two norms with biases, a plain feed-forward block.

vLLM 0.32.0: models/gpt2.py, gpt_j.py, bloom.py, opt.py; transformers 5.19.0: modeling_gpt_neox.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from servespec.models.config import Config
from servespec.models.facts import Stage, TensorKind
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    attention,
    embedding,
    linear,
    lm_head,
    mlp,
    norm,
    norms,
    parameter,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = (
    "GPT2LMHeadModel",
    "GPTJForCausalLM",
    "GPTNeoXForCausalLM",
    "BloomForCausalLM",
    "OPTForCausalLM",
)
MODEL_TYPES = ("gpt2", "gptj", "gpt_neox", "bloom", "opt")


@dataclass(frozen=True, slots=True)
class Names:
    """What the parts of a model are called."""

    embedding: str
    block: str
    attention: tuple[str, str, str, str]
    feed_forward: tuple[str, str]
    norms: tuple[str, ...]
    final: str
    head: str = "lm_head"
    attention_bias: bool = True
    head_bias: bool = False


FUSED = "query_key_value"
NAMES = {
    "gpt2": Names(
        "transformer.wte",
        "transformer.h.{layer}",
        ("attn.c_attn", "attn.c_attn", "attn.c_attn", "attn.c_proj"),
        ("mlp.c_fc", "mlp.c_proj"),
        ("ln_1", "ln_2"),
        "transformer.ln_f",
    ),
    "gptj": Names(
        "transformer.wte",
        "transformer.h.{layer}",
        ("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.out_proj"),
        ("mlp.fc_in", "mlp.fc_out"),
        ("ln_1",),
        "transformer.ln_f",
        attention_bias=False,
        head_bias=True,
    ),
    "gpt_neox": Names(
        "gpt_neox.embed_in",
        "gpt_neox.layers.{layer}",
        (f"attention.{FUSED}", f"attention.{FUSED}", f"attention.{FUSED}", "attention.dense"),
        ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ("input_layernorm", "post_attention_layernorm"),
        "gpt_neox.final_layer_norm",
        head="embed_out",
    ),
    "bloom": Names(
        "transformer.word_embeddings",
        "transformer.h.{layer}",
        (
            f"self_attention.{FUSED}",
            f"self_attention.{FUSED}",
            f"self_attention.{FUSED}",
            "self_attention.dense",
        ),
        ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ("input_layernorm", "post_attention_layernorm"),
        "transformer.ln_f",
    ),
    "opt": Names(
        "model.decoder.embed_tokens",
        "model.decoder.layers.{layer}",
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"),
        ("fc1", "fc2"),
        ("self_attn_layer_norm", "final_layer_norm"),
        "model.decoder.final_layer_norm",
    ),
}
OPT_POSITION_OFFSET = 2  # OPTLearnedPositionalEmbedding


def positions(config: Config, kind: str, hidden: int) -> Groups:
    """Learned positions, and what else stands beside the embedding."""
    if kind == "gpt2":
        count = config.size("n_positions", "max_position_embeddings")
        return parameter("transformer.wpe.weight", (count, hidden), kind=TensorKind.embedding)
    if kind == "bloom":
        return norm("transformer.word_embeddings_layernorm", hidden, bias=True)
    if kind == "opt":
        count = config.size("max_position_embeddings") + OPT_POSITION_OFFSET
        groups = parameter("model.decoder.embed_positions.weight", (count, hidden), kind=TensorKind.embedding)
        width = config.optional("word_embed_proj_dim") or hidden
        if width != hidden:
            groups += linear("model.decoder.project_in", hidden, width, ())
            groups += linear("model.decoder.project_out", width, hidden, (), stage=Stage.last)
        return groups
    return ()


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    kind = config.model_type if config.model_type in NAMES else "gpt2"
    names = NAMES[kind]
    hidden = config.size("hidden_size", "n_embd")
    heads = config.size("num_attention_heads", "n_head")
    size = Dimensions(
        hidden=hidden,
        intermediate=config.optional("n_inner", "intermediate_size", "ffn_dim") or 4 * hidden,
        layers=config.layers,
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        vocab=config.size("vocab_size"),
    )
    layers = size.every_layer
    width = config.optional("word_embed_proj_dim") or hidden
    bias = config.flag("attention_bias", "enable_bias", default=True) and names.attention_bias
    last = not config.flag("_remove_final_layer_norm") and config.flag("do_layer_norm_before", default=True)
    rotary = config.optional("rotary_dim")
    fraction = rotary / size.head_dim if rotary else None
    return Architecture(
        family="gpt2",
        size=size,
        tensors=(
            *embedding(names.embedding, size.vocab, width),
            *positions(config, kind, hidden),
            *attention(names.block, size, layers, bias=bias, output_bias=bias, names=names.attention),
            *mlp(names.block, hidden, size.intermediate, layers, bias=True, names=names.feed_forward),
            *norms((f"{names.block}.{name}" for name in names.norms), hidden, layers, bias=True),
            *(norm(names.final, hidden, bias=True, stage=Stage.last) if last else ()),
            *lm_head(names.head, size.vocab, width, tied=config.tied, bias=names.head_bias),
        ),
        kv=(full_attention(size, layers),),
        rope=rope_tables(config, size.head_dim, fraction) if kind in ("gptj", "gpt_neox") else (),
        tied_embeddings=config.tied,
    )
