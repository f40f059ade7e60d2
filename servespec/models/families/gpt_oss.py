"""gpt-oss: sinks, biases everywhere, every second layer with a window (vLLM 0.32.0 models/gpt_oss.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import MoE, Split, TensorGroup, TensorKind
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, attention_layers
from servespec.models.families.blocks import Dimensions, Groups, Layers, attention, norms, parameter, router
from servespec.models.rope import rope_tables

ARCHITECTURES = ("GptOssForCausalLM",)
MODEL_TYPES = ("gpt_oss",)


def experts(block: str, count: int, hidden: int, intermediate: int, layers: Layers) -> Groups:
    """One tensor a layer holds all experts; gate and up alternate in it."""

    def weight(name: str, outputs: int, inputs: int, split: Split) -> Groups:
        bias_split = Split.rows if split is Split.rows else Split.replicated
        return (
            TensorGroup(
                name=f"{block}.{name}.weight",
                shape=(outputs, inputs),
                kind=TensorKind.expert,
                split=split,
                layers=layers,
                experts=count,
            ),
            TensorGroup(
                name=f"{block}.{name}_bias",
                shape=(outputs,),
                kind=TensorKind.bias,
                split=bias_split,
                layers=layers,
                experts=count,
            ),
        )

    return (
        *weight("gate_up_proj", intermediate, hidden, Split.rows),
        *weight("gate_up_proj", intermediate, hidden, Split.rows),
        *weight("down_proj", hidden, intermediate, Split.columns),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    size = Dimensions.read(config)
    layers = size.every_layer
    window = config.optional("sliding_window")
    kinds = config.words("layer_types")
    sliding = (
        tuple(i for i, kind in zip(layers, kinds, strict=False) if kind == "sliding_attention")
        if kinds
        else tuple(layer for layer in layers if layer % 2 == 0)
    )
    count = config.size("num_local_experts", most=MOST_EXPERTS)
    block = "model.layers.{layer}"
    return Architecture(
        family="gpt_oss",
        size=size,
        tensors=(
            *llama.frame(size, tied=config.tied),
            *attention(f"{block}.self_attn", size, layers, bias=True, output_bias=True),
            *parameter(
                f"{block}.self_attn.sinks", (size.heads,), layers, split=Split.heads, heads=size.heads
            ),
            *router(f"{block}.mlp.router", count, size.hidden, layers, bias=True),
            *experts(f"{block}.mlp.experts", count, size.hidden, size.intermediate, layers),
            *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
        ),
        kv=attention_layers(size, sliding, window),
        rope=tuple(replace(table, dtype="float32") for table in rope_tables(config, size.head_dim)),
        tied_embeddings=config.tied,
        sliding_window=window,
        moe=MoE(
            experts=count,
            experts_per_token=config.size("num_experts_per_tok", "experts_per_token"),
            intermediate_size=size.intermediate,
            layers=layers,
        ),
        extra={"expert_bias": True},
    )
