"""EAGLE and EAGLE-3 draft heads on Llama's layers (vLLM 0.32.0 models/llama_eagle.py, llama_eagle3.py).

A head reads the target's hidden states through ``fc``. EAGLE-3 reads those of three layers, and its first layer takes
embedding and hidden state side by side. Engines share the target's embedding where the checkpoint has none.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.facts import Split, Stage, TensorKind
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
    parameter,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = ("EagleLlamaForCausalLM", "LlamaForCausalLMEagle3", "Eagle3LlamaForCausalLM")

AUXILIARY_LAYERS = 3  # llama_eagle3.py num_aux_hidden_states, where the configuration names no layers


def auxiliary_layers(config: Config) -> int:
    """How many of the target's hidden states EAGLE-3 reads."""
    listed = Config(config.mapping("eagle_config")).items("eagle_aux_hidden_state_layer_ids")
    return config.integer("num_aux_hidden_states", default=len(listed) or AUXILIARY_LAYERS)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    third = "EagleLlamaForCausalLM" not in config.words("architectures")
    layers = size.every_layer
    block = "layers.{layer}"
    hidden = size.hidden
    bias = config.flag("attention_bias")
    target = config.integer("target_hidden_size", default=hidden)
    inputs = target * auxiliary_layers(config) if third else 2 * hidden
    groups: Groups = (
        *embedding("embed_tokens", size.vocab, hidden),
        *linear("fc", hidden, inputs, (), kind=TensorKind.router),
        *mlp(f"{block}.mlp", hidden, size.intermediate, layers),
        *norm(f"{block}.post_attention_layernorm", hidden, layers),
    )
    if third:
        wide = replace(size, hidden=2 * hidden)
        first = attention(f"{block}.self_attn", wide, (0,), bias=bias)
        groups += tuple(group for group in first if ".o_proj" not in group.name)
        groups += linear(f"{block}.self_attn.o_proj", hidden, size.heads * size.head_dim, (0,), Split.columns)
        if len(layers) > 1:
            groups += attention(f"{block}.self_attn", size, layers[1:], bias=bias)
        groups += norm(f"{block}.hidden_norm", hidden, layers)
        groups += norm(f"{block}.input_layernorm", hidden, layers)
        groups += norm("norm", hidden, stage=Stage.last)
        draft_vocab = config.integer("draft_vocab_size", default=size.vocab)
        groups += lm_head("lm_head", draft_vocab, hidden)
        if draft_vocab != size.vocab:
            groups += parameter("d2t", (draft_vocab,), dtype="int64")
    else:
        groups += attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias)
        if len(layers) > 1:  # the first layer has no norm before its attention
            groups += norm(f"{block}.input_layernorm", hidden, layers[1:])
    return Architecture(
        family="eagle",
        size=size,
        tensors=groups,
        kv=(full_attention(size, layers),),
        rope=rope_tables(config, size.head_dim),
        extra={"draft": "eagle3" if third else "eagle", "target_hidden_size": target},
    )
