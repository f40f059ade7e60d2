"""Whisper: an audio encoder, and a decoder that reads it by cross-attention (vLLM 0.32.0 models/whisper.py)."""

from __future__ import annotations

from servespec.models.config import MOST_LAYERS, Config
from servespec.models.facts import KVKind, KVLayers, Part, Split, Stage, TensorKind
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    embedding,
    linear,
    lm_head,
    norm,
    parameter,
)

ARCHITECTURES = ("WhisperForConditionalGeneration",)
MODEL_TYPES = ("whisper",)

CONVOLUTION = 3  # width of both convolutions of the encoder (modeling_whisper.py WhisperEncoder)


def attention(prefix: str, width: int, heads: int, layers: Layers, copies: int, part: Part) -> Groups:
    """Projections with biases everywhere but at the keys."""
    groups: Groups = ()
    for name in ("q_proj", "k_proj", "v_proj"):
        groups += linear(
            f"{prefix}.{name}",
            width,
            width,
            layers,
            Split.heads,
            bias=name != "k_proj",
            heads=heads,
            copies=copies,
            part=part,
        )
    return (
        *groups,
        *linear(
            f"{prefix}.out_proj", width, width, layers, Split.columns, bias=True, copies=copies, part=part
        ),
    )


def feed_forward(block: str, width: int, inner: int, layers: Layers, copies: int, part: Part) -> Groups:
    """Two linear layers and the norm behind the block."""
    return (
        *linear(f"{block}.fc1", inner, width, layers, Split.rows, bias=True, copies=copies, part=part),
        *linear(f"{block}.fc2", width, inner, layers, Split.columns, bias=True, copies=copies, part=part),
        *norm(f"{block}.final_layer_norm", width, layers, bias=True, copies=copies, part=part),
    )


def encoder(config: Config, width: int) -> Groups:
    """Two convolutions, positions, blocks; nothing of it is cached."""
    count = config.size("encoder_layers", most=MOST_LAYERS)
    heads, inner = config.size("encoder_attention_heads"), config.size("encoder_ffn_dim")
    part, prefix = Part.audio, "model.encoder"
    block = f"{prefix}.layers.{{block}}"
    groups: Groups = ()
    for name, channels in (("conv1", config.size("num_mel_bins")), ("conv2", width)):
        shape = (width, channels, CONVOLUTION)
        groups += parameter(f"{prefix}.{name}.weight", shape, part=part, kind=TensorKind.conv)
        groups += parameter(f"{prefix}.{name}.bias", (width,), part=part, kind=TensorKind.bias)
    positions = (config.size("max_source_positions"), width)
    return (
        *groups,
        *parameter(f"{prefix}.embed_positions.weight", positions, part=part, kind=TensorKind.embedding),
        *attention(f"{block}.self_attn", width, heads, (), count, part),
        *norm(f"{block}.self_attn_layer_norm", width, bias=True, copies=count, part=part),
        *feed_forward(block, width, inner, (), count, part),
        *norm(f"{prefix}.layer_norm", width, bias=True, part=part),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    width = config.size("d_model")
    heads = config.size("decoder_attention_heads")
    size = Dimensions(
        hidden=width,
        intermediate=config.size("decoder_ffn_dim"),
        layers=config.size("decoder_layers", most=MOST_LAYERS),
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        vocab=config.size("vocab_size"),
    )
    layers = size.every_layer
    block = "model.decoder.layers.{layer}"
    part = Part.decoder
    targets = config.size("max_target_positions")
    groups: Groups = (
        *encoder(config, width),
        *embedding("model.decoder.embed_tokens", size.vocab, width),
        *parameter("model.decoder.embed_positions.weight", (targets, width), kind=TensorKind.embedding),
        *attention(f"{block}.self_attn", width, heads, layers, 1, part),
        *norm(f"{block}.self_attn_layer_norm", width, layers, bias=True),
        *attention(f"{block}.encoder_attn", width, heads, layers, 1, part),
        *norm(f"{block}.encoder_attn_layer_norm", width, layers, bias=True),
        *feed_forward(block, width, size.intermediate, layers, 1, part),
        *norm("model.decoder.layer_norm", width, bias=True, stage=Stage.last),
        *lm_head("proj_out", size.vocab, width, tied=config.tied),
    )
    return Architecture(
        family="whisper",
        size=size,
        tensors=groups,
        kv=(
            full_attention(size, layers),
            KVLayers(
                kind=KVKind.cross,
                layers=layers,
                kv_heads=heads,
                key_dim=size.head_dim,
                value_dim=size.head_dim,
            ),
        ),
        tied_embeddings=config.tied,
        has_audio=True,
        is_encoder_decoder=True,
        context_tokens=targets,
        extra={"max_source_positions": config.size("max_source_positions")},
    )
