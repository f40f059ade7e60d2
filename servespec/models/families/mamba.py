"""Mamba 1 and 2: pure models, and the blocks that hybrids are made of.

vLLM 0.32.0: layers/mamba/mamba_mixer.py, mamba_mixer2.py, mamba_utils.py, models/mamba.py, mamba2.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from servespec.models.config import Config
from servespec.models.facts import KVKind, KVLayers, Split, Stage, StateTensor, TensorKind
from servespec.models.families.architecture import Architecture
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

ARCHITECTURES = ("MambaForCausalLM", "FalconMambaForCausalLM", "Mamba2ForCausalLM")
MODEL_TYPES = ("mamba", "falcon_mamba", "mamba2")


def chunk_extra(config: Config) -> dict[str, int | float | str | bool]:
    """Tokens of a chunk of Mamba 2's scan, where the configuration says (vLLM config/model.py get_mamba_chunk_size), and
    the groups of heads that share B and C."""
    found = {
        "mamba_chunk_size": config.optional("mamba_chunk_size", "chunk_size"),
        "mamba_groups": config.optional("mamba_n_groups", "n_groups"),
    }
    return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Mamba2:
    """Sizes of a Mamba 2 mixer."""

    heads: int
    head_dim: int
    groups: int
    state: int
    kernel: int
    conv_bias: bool
    bias: bool
    gated_norm: bool = True

    @property
    def inner(self) -> int:
        """Width inside the mixer."""
        return self.heads * self.head_dim

    @property
    def grouped(self) -> int:
        """Rows of B and C, which the heads of a group share."""
        return 2 * self.groups * self.state

    @classmethod
    def nemotron(cls, config: Config) -> Mamba2:
        """By Nemotron-H's keys."""
        return cls(
            heads=config.size("mamba_num_heads"),
            head_dim=config.size("mamba_head_dim"),
            groups=config.size("n_groups"),
            state=config.size("ssm_state_size"),
            kernel=config.size("conv_kernel"),
            conv_bias=config.flag("use_conv_bias", default=True),
            bias=config.flag("mamba_proj_bias", "use_bias"),
        )

    @classmethod
    def hybrid(cls, config: Config) -> Mamba2:
        """By the keys of Bamba, Granite 4 and Falcon-H1."""
        heads = config.size("mamba_n_heads")
        inner = config.optional("mamba_d_ssm") or config.size("mamba_expand", default=2) * config.size(
            "hidden_size"
        )
        return cls(
            heads=heads,
            head_dim=inner // heads
            if config.raw("mamba_d_head") in (None, "auto")
            else config.size("mamba_d_head"),
            groups=config.size("mamba_n_groups"),
            state=config.size("mamba_d_state"),
            kernel=config.size("mamba_d_conv"),
            conv_bias=config.flag("mamba_conv_bias", default=True),
            bias=config.flag("mamba_proj_bias"),
        )


def mamba2_tensors(shape: Mamba2, hidden: int, block: str, layers: Layers) -> Groups:
    """Tensors of Mamba 2 mixers; ``block`` is the mixer's path.

    B and C have a row for each state of a group: a group that ranks cannot share is on each of them
    (extra_groups_for_head_shards of vllm/model_executor/layers/mamba/mamba_utils.py, and of SGLang).
    """
    projected, convolved = 2 * shape.inner + shape.heads, f"{block}.conv1d"
    groups: Groups = (
        *linear(f"{block}.in_proj", projected, hidden, layers, Split.rows, bias=shape.bias),
        *linear(
            f"{block}.in_proj",
            shape.grouped,
            hidden,
            layers,
            Split.heads,
            heads=shape.groups,
            bias=shape.bias,
        ),
    )
    for rows, split, heads in ((shape.inner, Split.rows, 0), (shape.grouped, Split.heads, shape.groups)):
        groups += parameter(
            f"{convolved}.weight",
            (rows, 1, shape.kernel),
            layers,
            split=split,
            heads=heads,
            kind=TensorKind.conv,
        )
        if shape.conv_bias:
            groups += parameter(
                f"{convolved}.bias", (rows,), layers, split=split, heads=heads, kind=TensorKind.bias
            )
    for name in ("A_log", "D", "dt_bias"):
        groups += parameter(f"{block}.{name}", (shape.heads,), layers, split=Split.rows)
    if shape.gated_norm:
        groups += norm(f"{block}.norm", shape.inner, layers, split=Split.rows)
    return (
        *groups,
        *linear(f"{block}.out_proj", hidden, shape.inner, layers, Split.columns, bias=shape.bias),
    )


def mamba2_states(shape: Mamba2, layers: Layers, dtype: str | None = None) -> KVLayers:
    """The convolution's last inputs (x, then B and C, of which a single group is on every rank) and the state."""
    return KVLayers(
        kind=KVKind.recurrent,
        layers=layers,
        state_type="mamba2",
        states=(
            StateTensor((shape.kernel - 1, shape.inner), 1),
            StateTensor((shape.kernel - 1, shape.grouped), 1 if shape.groups > 1 else None),
            StateTensor((shape.heads, shape.head_dim, shape.state), 0, dtype),
        ),
    )


def mamba1_tensors(
    inner: int,
    hidden: int,
    state: int,
    kernel: int,
    rank: int,
    block: str,
    layers: Layers,
    *,
    conv_bias: bool,
    bias: bool,
) -> Groups:
    """Tensors of Mamba 1 mixers; ``block`` is the mixer's path."""
    groups: Groups = (
        *linear(f"{block}.in_proj", 2 * inner, hidden, layers, Split.rows, bias=bias),
        *parameter(
            f"{block}.conv1d.weight", (inner, 1, kernel), layers, split=Split.rows, kind=TensorKind.conv
        ),
        *linear(f"{block}.x_proj", rank + 2 * state, inner, layers, Split.columns),
        *linear(f"{block}.dt_proj", inner, rank, layers, Split.rows, bias=True),
        *parameter(f"{block}.A_log", (inner, state), layers, split=Split.rows),
        *parameter(f"{block}.D", (inner,), layers, split=Split.rows),
        *linear(f"{block}.out_proj", hidden, inner, layers, Split.columns, bias=bias),
    )
    if conv_bias:
        groups += parameter(f"{block}.conv1d.bias", (inner,), layers, split=Split.rows, kind=TensorKind.bias)
    return groups


def mamba1_states(inner: int, state: int, kernel: int, layers: Layers) -> KVLayers:
    """The convolution's last inputs and the recurrent state of Mamba 1."""
    return KVLayers(
        kind=KVKind.recurrent,
        layers=layers,
        state_type="mamba1",
        states=(StateTensor((kernel - 1, inner), 1), StateTensor((inner, state), 0)),
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    hidden = config.size("hidden_size", "d_model")
    count = config.layers
    layers = tuple(range(count))
    state, kernel = config.size("state_size"), config.size("conv_kernel")
    block = "backbone.layers.{layer}"
    if config.model_type == "mamba2":
        shape = Mamba2(
            heads=config.size("num_heads"),
            head_dim=config.size("head_dim"),
            groups=config.size("n_groups"),
            state=state,
            kernel=kernel,
            conv_bias=config.flag("use_conv_bias", default=True),
            bias=config.flag("use_bias"),
        )
        mixer, keep = mamba2_tensors(shape, hidden, f"{block}.mixer", layers), mamba2_states(shape, layers)
    else:
        inner = config.optional("intermediate_size") or config.size("expand", default=2) * hidden
        rank_key = config.raw("time_step_rank")
        rank = -(-hidden // 16) if rank_key in (None, "auto") else config.size("time_step_rank")
        mixer = mamba1_tensors(
            inner,
            hidden,
            state,
            kernel,
            rank,
            f"{block}.mixer",
            layers,
            conv_bias=config.flag("use_conv_bias", default=True),
            bias=config.flag("use_bias"),
        )
        keep = mamba1_states(inner, state, kernel, layers)
    size = Dimensions(
        hidden=hidden,
        intermediate=config.integer("intermediate_size", default=0),
        layers=count,
        heads=0,
        kv_heads=0,
        head_dim=0,
        vocab=config.size("vocab_size"),
    )
    tied = config.tied
    return Architecture(
        family="mamba",
        size=size,
        tensors=(
            *embedding("backbone.embeddings", size.vocab, hidden),
            *mixer,
            *norm(f"{block}.norm", hidden, layers),
            *norm("backbone.norm_f", hidden, stage=Stage.last),
            *lm_head("lm_head", size.vocab, hidden, tied=tied),
        ),
        kv=(keep,),
        tied_embeddings=tied,
        extra=chunk_extra(config) if config.model_type == "mamba2" else {},
    )
