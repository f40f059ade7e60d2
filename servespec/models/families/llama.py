"""Llama and the decoders that share its tensors: Mistral, Qwen2, Qwen3, InternLM3, SmolLM3, Seed-OSS …

vLLM 0.32.0: models/llama.py, mistral.py, qwen2.py, qwen3.py, granite.py, mimo.py.
"""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Stage
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    embedding,
    lm_head,
    mlp,
    norm,
    norms,
)
from servespec.models.rope import rope_tables

ARCHITECTURES = (
    "LlamaForCausalLM",
    "LLaMAForCausalLM",
    "MistralForCausalLM",
    "Ministral3ForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "InternLM3ForCausalLM",
    "IQuestCoderForCausalLM",
    "TeleChat3ForCausalLM",
    "GraniteForCausalLM",
    "SeedOssForCausalLM",
    "SmolLM3ForCausalLM",
    "ArceeForCausalLM",
    "Ernie4_5ForCausalLM",
)
MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3", "granite", "seed_oss", "smollm3", "arcee", "ernie4_5")


def attention_bias(config: Config) -> tuple[bool, bool]:
    """Whether query, key and value projections have a bias, and whether the output has one."""
    if config.model_type.startswith("qwen2"):
        return True, False  # always, whatever the configuration says (transformers modeling_qwen2.py)
    if config.model_type == "seed_oss":
        return config.flag("attention_bias", default=True), config.flag("attention_out_bias")
    if config.model_type == "ernie4_5":
        return config.flag("use_bias"), config.flag("use_bias")
    both = config.flag("attention_bias", "bias", "qkv_bias")
    return both, both


def sliding_layers(config: Config) -> tuple[Layers, int | None]:
    """The layers that attend to a window only, and the window.

    ``layer_types`` says so where it is given; Mistral's window holds for all layers; Qwen's for those
    from ``max_window_layers`` on, and only with ``use_sliding_window`` (transformers configuration classes).
    """
    window = config.optional("sliding_window")
    layers = tuple(range(config.layers))
    if not window:
        return (), None
    kinds = config.words("layer_types") if config.has("layer_types") else ()
    if kinds:
        return tuple(i for i, kind in zip(layers, kinds, strict=False) if kind == "sliding_attention"), window
    if config.model_type.startswith("qwen"):
        if not config.flag("use_sliding_window"):
            return (), None
        first = config.integer("max_window_layers", default=0)
        return tuple(layer for layer in layers if layer >= first), window
    return layers, window


def gated(config: Config) -> tuple[str, ...]:
    """The projections of a feed-forward block."""
    if config.model_type == "arcee":
        return ("up_proj", "down_proj")
    return ("gate_proj", "up_proj", "down_proj")


def decoder(config: Config, size: Dimensions, prefix: str, layers: Layers) -> Groups:
    """The layers ``layers`` without their feed-forward block; ``prefix`` ends in ``layers``."""
    bias, output_bias = attention_bias(config)
    block = prefix + ".{layer}"
    qk_norm = config.model_type.startswith("qwen3")
    return (
        *attention(f"{block}.self_attn", size, layers, bias=bias, output_bias=output_bias),
        *(
            norms((f"{block}.self_attn.q_norm", f"{block}.self_attn.k_norm"), size.head_dim, layers)
            if qk_norm
            else ()
        ),
        *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
    )


def frame(size: Dimensions, model: str = "model", head: str = "lm_head", *, tied: bool) -> Groups:
    """Embeddings, final norm and output layer."""
    return (
        *embedding(f"{model}.embed_tokens", size.vocab, size.hidden),
        *norm(f"{model}.norm", size.hidden, stage=Stage.last),
        *lm_head(head, size.vocab, size.hidden, tied=tied),
    )


def text_decoder(config: Config, model: str = "model", head: str = "lm_head") -> Architecture:
    """A whole Llama-like decoder whose tensors begin with ``model``; ``config`` may nest the language model."""
    tied = config.tied
    config = config.language
    size = Dimensions.read(config)
    sliding, window = sliding_layers(config)
    layers = size.every_layer
    return Architecture(
        family="llama",
        size=size,
        tensors=(
            *frame(size, model, head, tied=tied),
            *decoder(config, size, f"{model}.layers", layers),
            *mlp(
                f"{model}.layers.{{layer}}.mlp",
                size.hidden,
                size.intermediate,
                layers,
                bias=config.flag("mlp_bias", "use_bias") if config.model_type != "qwen2" else False,
                names=gated(config),
            ),
        ),
        kv=attention_layers(size, sliding, window),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=tied,
        sliding_window=window,
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    return text_decoder(config)
