"""StarCoder 2 (transformers 5.19.0 modeling_starcoder2.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import Dimensions, attention, embedding, lm_head, mlp, norm, norms
from servespec.models.rope import rope_tables

ARCHITECTURES = ("Starcoder2ForCausalLM",)
MODEL_TYPES = ("starcoder2",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    sliding, window = llama.sliding_layers(config)
    bias = config.flag("use_bias", default=True)
    block = "model.layers.{layer}"
    return Architecture(
        family="starcoder2",
        size=size,
        tensors=(
            *embedding("model.embed_tokens", size.vocab, size.hidden),
            *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=bias),
            *mlp(f"{block}.mlp", size.hidden, size.intermediate, layers, bias=bias, names=("c_fc", "c_proj")),
            *norms(
                (f"{block}.input_layernorm", f"{block}.post_attention_layernorm"),
                size.hidden,
                layers,
                bias=True,
            ),
            *norm("model.norm", size.hidden, bias=True, stage=Stage.last),
            *lm_head("lm_head", size.vocab, size.hidden, tied=config.tied),
        ),
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
        sliding_window=window,
    )
