"""ChatGLM2/3 and GLM-4-9B as first published: fused projections, ``transformer.encoder`` (vLLM models/chatglm.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import Dimensions, attention, embedding, lm_head, mlp, norm, norms
from servespec.models.rope import rope_table

ARCHITECTURES = ("ChatGLMModel", "ChatGLMForConditionalGeneration")
MODEL_TYPES = ("chatglm",)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    heads = config.size("num_attention_heads")
    hidden = config.size("hidden_size")
    kv_heads = config.size("multi_query_group_num") if config.flag("multi_query_attention") else heads
    size = Dimensions(
        hidden=hidden,
        intermediate=config.size("ffn_hidden_size"),
        layers=config.layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=config.optional("kv_channels") or hidden // heads,
        vocab=config.size("padded_vocab_size", "vocab_size"),
    )
    layers = size.every_layer
    block = "transformer.encoder.layers.{layer}"
    linear_bias = config.flag("add_bias_linear")
    fused = "query_key_value"
    unmodelled = () if not config.has("vision_config") else ("the vision tower of GLM-4V",)
    # chatglm.py: half of a head rotates; positions are seq_length
    table = rope_table({}, size.head_dim, config.size("seq_length", default=8192), 0.5)
    tied = config.tied
    return Architecture(
        family="chatglm",
        size=size,
        tensors=(
            *embedding("transformer.embedding.word_embeddings", size.vocab, hidden),
            *attention(
                f"{block}.self_attention",
                size,
                layers,
                bias=linear_bias or config.flag("add_qkv_bias"),
                output_bias=linear_bias,
                names=(fused, fused, fused, "dense"),
            ),
            *mlp(
                f"{block}.mlp",
                hidden,
                size.intermediate,
                layers,
                bias=linear_bias,
                names=("dense_h_to_4h", "dense_h_to_4h", "dense_4h_to_h"),
            ),
            *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), hidden, layers),
            *norm("transformer.encoder.final_layernorm", hidden, stage=Stage.last),
            *lm_head("transformer.output_layer", size.vocab, hidden, tied=tied),
        ),
        kv=(full_attention(size, layers),),
        rope=() if table is None else (table,),
        tied_embeddings=tied,
        unmodelled=unmodelled,
    )
