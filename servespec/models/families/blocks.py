"""The blocks that decoders are made of, as groups of tensors.

Names are the checkpoint's. Where a checkpoint fuses projections into one tensor, the parts are
listed one by one under the fused name: they shard and quantize as the parts do. A linear layer's
shape is (output features, input features).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from servespec.models.config import Config
from servespec.models.facts import Part, Split, Stage, TensorGroup, TensorKind

Groups = tuple[TensorGroup, ...]
Layers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The sizes that nearly every decoder has."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int

    @property
    def every_layer(self) -> Layers:
        """All decoder layers."""
        return tuple(range(self.layers))

    @classmethod
    def read(cls, config: Config) -> Dimensions:
        """From the usual keys; kv heads default to all heads, head_dim to hidden ÷ heads."""
        hidden = config.size("hidden_size", "n_embd", "d_model")
        heads = config.size("num_attention_heads", "n_head", "n_heads")
        return cls(
            hidden=hidden,
            intermediate=config.integer("intermediate_size", "ffn_dim", "n_inner", default=0),
            layers=config.layers,
            heads=heads,
            kv_heads=config.size("num_key_value_heads", default=heads),
            head_dim=config.optional("head_dim") or hidden // heads,
            vocab=config.size("vocab_size", "padded_vocab_size"),
        )


def linear(
    name: str,
    outputs: int,
    inputs: int,
    layers: Layers,
    split: Split = Split.replicated,
    *,
    bias: bool = False,
    heads: int = 0,
    kind: TensorKind = TensorKind.linear,
    experts: int = 1,
    copies: int = 1,
    part: Part = Part.decoder,
    stage: Stage = Stage.first,
    dtype: str | None = None,
) -> Groups:
    """A linear layer ``name`` (without ``.weight``): its weight, and its bias when it has one."""
    weight = TensorGroup(
        name=f"{name}.weight",
        shape=(outputs, inputs),
        kind=kind,
        split=split,
        layers=layers,
        experts=experts,
        copies=copies,
        heads=heads,
        part=part,
        stage=stage,
        dtype=dtype,
    )
    if not bias:
        return (weight,)
    return (
        weight,
        TensorGroup(
            name=f"{name}.bias",
            shape=(outputs,),
            kind=TensorKind.bias,
            split=Split.replicated if split is Split.columns else split,
            layers=layers,
            experts=experts,
            copies=copies,
            heads=heads,
            part=part,
            stage=stage,
            dtype=dtype,
        ),
    )


def norm(
    name: str,
    width: int,
    layers: Layers = (),
    *,
    bias: bool = False,
    stage: Stage = Stage.first,
    part: Part = Part.decoder,
    copies: int = 1,
    split: Split = Split.replicated,
    heads: int = 0,
    dtype: str | None = None,
) -> Groups:
    """A normalisation's weight, and its bias when it has one; ``name`` without ``.weight``."""
    return tuple(
        TensorGroup(
            name=f"{name}.{suffix}",
            shape=(width,),
            kind=TensorKind.norm,
            layers=layers,
            stage=stage,
            part=part,
            copies=copies,
            split=split,
            heads=heads,
            dtype=dtype,
        )
        for suffix in (("weight", "bias") if bias else ("weight",))
    )


def parameter(
    name: str,
    shape: tuple[int, ...],
    layers: Layers = (),
    *,
    split: Split = Split.replicated,
    heads: int = 0,
    experts: int = 1,
    copies: int = 1,
    dtype: str | None = None,
    part: Part = Part.decoder,
    stage: Stage = Stage.first,
    kind: TensorKind = TensorKind.parameter,
) -> Groups:
    """A tensor that is no linear layer and no norm, by its whole name."""
    return (
        TensorGroup(
            name=name,
            shape=shape,
            kind=kind,
            layers=layers,
            split=split,
            heads=heads,
            experts=experts,
            copies=copies,
            dtype=dtype,
            part=part,
            stage=stage,
        ),
    )


def embedding(name: str, vocab: int, width: int, *, part: Part = Part.decoder) -> Groups:
    """Token embeddings."""
    return (
        TensorGroup(
            name=f"{name}.weight",
            shape=(vocab, width),
            kind=TensorKind.embedding,
            split=Split.vocabulary,
            part=part,
        ),
    )


def lm_head(name: str, vocab: int, width: int, *, bias: bool = False, tied: bool = False) -> Groups:
    """The output layer; nothing when it is the embedding itself."""
    if tied:
        return ()
    return linear(
        name, vocab, width, (), Split.vocabulary, bias=bias, kind=TensorKind.lm_head, stage=Stage.last
    )


def attention(
    prefix: str,
    size: Dimensions,
    layers: Layers,
    *,
    value_dim: int | None = None,
    bias: bool = False,
    output_bias: bool = False,
    output_gate: bool = False,
    names: tuple[str, str, str, str] = ("q_proj", "k_proj", "v_proj", "o_proj"),
    part: Part = Part.decoder,
) -> Groups:
    """Query, key, value and output projections; with ``output_gate`` the query's is twice as wide."""
    query, key, value, output = (f"{prefix}.{name}" for name in names)
    value_dim = size.head_dim if value_dim is None else value_dim
    query_width = size.heads * size.head_dim * (2 if output_gate else 1)
    hidden = size.hidden
    return (
        *linear(query, query_width, hidden, layers, Split.heads, bias=bias, heads=size.heads, part=part),
        *linear(
            key,
            size.kv_heads * size.head_dim,
            hidden,
            layers,
            Split.heads,
            bias=bias,
            heads=size.kv_heads,
            part=part,
        ),
        *linear(
            value,
            size.kv_heads * value_dim,
            hidden,
            layers,
            Split.heads,
            bias=bias,
            heads=size.kv_heads,
            part=part,
        ),
        *linear(output, hidden, size.heads * value_dim, layers, Split.columns, bias=output_bias, part=part),
    )


def mlp(
    prefix: str,
    hidden: int,
    intermediate: int,
    layers: Layers,
    *,
    bias: bool = False,
    names: tuple[str, ...] = ("gate_proj", "up_proj", "down_proj"),
    part: Part = Part.decoder,
    kind: TensorKind = TensorKind.linear,
    experts: int = 1,
) -> Groups:
    """A feed-forward block: every name but the last widens, the last narrows."""
    *wide, narrow = names
    groups: list[TensorGroup] = []
    for name in wide:
        groups += linear(
            f"{prefix}.{name}",
            intermediate,
            hidden,
            layers,
            Split.rows,
            bias=bias,
            part=part,
            kind=kind,
            experts=experts,
        )
    groups += linear(
        f"{prefix}.{narrow}",
        hidden,
        intermediate,
        layers,
        Split.columns,
        bias=bias,
        part=part,
        kind=kind,
        experts=experts,
    )
    return tuple(groups)


def experts_mlp(
    prefix: str,
    count: int,
    hidden: int,
    intermediate: int,
    layers: Layers,
    *,
    names: tuple[str, ...] = ("gate_proj", "up_proj", "down_proj"),
    part: Part = Part.decoder,
) -> Groups:
    """``count`` feed-forward experts in each layer; ``prefix`` contains ``{expert}``."""
    return mlp(
        prefix, hidden, intermediate, layers, names=names, part=part, kind=TensorKind.expert, experts=count
    )


def router(
    name: str, experts: int, hidden: int, layers: Layers, *, bias: bool = False, part: Part = Part.decoder
) -> Groups:
    """The gate that chooses experts; on every rank, never quantized."""
    return linear(name, experts, hidden, layers, bias=bias, kind=TensorKind.router, part=part)


def counted_apart(groups: Groups, count: int) -> Groups:
    """Layers that the checkpoint counts from 0 apart from the decoder's: ``{layer}`` becomes ``{block}``."""
    return tuple(
        replace(group, name=group.name.replace("{layer}", "{block}"), layers=(), copies=count)
        if group.layers
        else group
        for group in groups
    )


def norms(names: Iterable[str], width: int, layers: Layers, *, bias: bool = False) -> Groups:
    """Several norms of one width in each layer."""
    return tuple(group for name in names for group in norm(name, width, layers, bias=bias))
