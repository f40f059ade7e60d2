"""The modules that vLLM builds from a checkpoint's tensors, as one rank holds them.

Projections of one input are one parameter (qkv_proj, gate_up_proj), the experts of a layer are two
(w13, w2). Source: packed_modules_mapping of vllm/model_executor/models/*.py; FusedMoE.create_weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from servespec.engines.vllm.placement import loaded_groups
from servespec.engines.vllm.quantization import effective_quantization
from servespec.memory.shards import ceil_div, shard_shape
from servespec.models.facts import Part, Split, TensorGroup, TensorKind, WeightFormat
from servespec.models.quantization import by_format
from servespec.models.quantization.matching import FUSED
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

VOCABULARY_PADDING = 64
"""vllm/model_executor/layers/vocab_parallel_embedding.py DEFAULT_VOCAB_PADDING_SIZE."""

EXPERTS_SPAN_REPLICAS = ">=0.8.5"
"""FusedMoEParallelConfig.make: without expert parallelism experts are split over data-parallel ranks as well."""

DOWN = frozenset({"down_proj", "w2", "output_linear", "fc2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A checkpoint tensor's share on this rank: (outputs, inputs) of each of ``experts``."""

    shape: tuple[int, ...]
    experts: int
    dtype: str | None
    split: Split = Split.replicated


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module of one layer (None outside the decoder's layers): the pieces of its weight, in one format."""

    name: str
    kind: TensorKind
    part: Part
    layer: int | None
    form: WeightFormat | None
    pieces: tuple[Piece, ...]
    copies: int = 1

    @property
    def outputs(self) -> int:
        """Output features of the fused weight."""
        return sum(piece.shape[0] for piece in self.pieces)

    @property
    def inputs(self) -> int:
        """Input features."""
        return self.pieces[0].shape[-1]

    @property
    def experts(self) -> int:
        """Experts on this rank; 1 for a plain layer."""
        return self.pieces[0].experts

    @property
    def elements(self) -> int:
        """Elements of one copy over all experts."""
        total = 0
        for piece in self.pieces:
            size = piece.experts
            for length in piece.shape:
                size *= length
            total += size
        return total


class _Member(NamedTuple):
    """A checkpoint's tensors that go into one module: alike in every layer."""

    group: TensorGroup
    form: WeightFormat | None
    piece: Piece


def experts_on_rank(deployment: Deployment, experts: int) -> int:
    """Experts of one layer on one rank: all of them, or a share with expert parallelism.

    Redundant experts of the load balancer come on top (vllm/model_executor/layers/fused_moe/layer.py).
    """
    settings = deployment.settings
    if not settings.flag("enable_expert_parallel"):
        return experts
    redundant = settings.integer("num_redundant_experts") if settings.flag("enable_eplb") else 0
    ranks = settings.integer("tensor_parallel_size") * settings.integer("data_parallel_size")
    return ceil_div(experts + redundant, ranks)


def modules(deployment: Deployment, stage: int, layers: range) -> tuple[Module, ...]:
    """Every module of the stage, in the order of the layers."""
    quantization = effective_quantization(deployment)
    fused: dict[tuple[int, str, TensorKind], list[_Member]] = {}
    for group, _ in loaded_groups(deployment, stage):
        for part, form in by_format(quantization, group):
            member = _Member(part, form, _piece(deployment, part))
            name = _fused_name(part)
            for layer in _layers_of(part, layers):
                fused.setdefault((layer, name, part.kind), []).append(member)
    ordered = sorted(fused.items(), key=lambda item: item[0][0])
    shared: dict[tuple[int, ...], tuple[Piece, ...]] = {}
    return tuple(_module(key, members, shared) for key, members in ordered)


def _layers_of(group: TensorGroup, layers: range) -> Iterator[int]:
    """The group's layers on this stage; −1 outside the decoder's layers, MTP layers after all others."""
    if not group.layers:
        return iter((-1,))
    if group.part is Part.decoder:
        return iter(tuple(layer for layer in group.layers if layer in layers))
    return iter(group.layers)


def _fused_name(group: TensorGroup) -> str:
    """The path of vLLM's parameter that holds the group's tensors."""
    path = group.name
    stem, _, suffix = path.rpartition(".")
    if suffix not in ("weight", "bias"):
        return path
    head, _, last = stem.rpartition(".")
    if group.kind is TensorKind.expert:
        projection = "w2" if last in DOWN else "w13"
        return f"{head.partition('.{expert}')[0]}.{projection}_{suffix}"
    return f"{head}.{FUSED.get(last, last)}.{suffix}"


def _module(
    key: tuple[int, str, TensorKind], members: list[_Member], shared: dict[tuple[int, ...], tuple[Piece, ...]]
) -> Module:
    """``shared`` holds the pieces of layers before, of which alike ones have the same."""
    layer, name, kind = key
    first = members[0]
    same = tuple(map(id, members))
    if same not in shared:
        shared[same] = tuple(member.piece for member in members)
    return Module(
        name=name,
        kind=kind,
        part=first.group.part,
        layer=None if layer < 0 else layer,
        form=first.form,
        pieces=shared[same],
        copies=first.group.copies,
    )


def _piece(deployment: Deployment, group: TensorGroup) -> Piece:
    tensor_parallel = deployment.settings.integer("tensor_parallel_size")
    of_experts = group.kind is TensorKind.expert or group.experts > 1
    whole_experts = of_experts and deployment.settings.flag("enable_expert_parallel")
    experts = experts_on_rank(deployment, group.experts) if group.experts > 1 else 1
    in_tower = group.part in (Part.vision, Part.audio)
    replicated = in_tower and deployment.settings.value("mm_encoder_tp_mode") == "data"
    ranks = 1 if whole_experts or replicated else tensor_parallel
    if of_experts and not whole_experts and holds(EXPERTS_SPAN_REPLICAS, deployment.version):
        ranks *= deployment.settings.integer("data_parallel_size")
    padding = VOCABULARY_PADDING if group.part in (Part.decoder, Part.mtp) else 1
    return Piece(
        shape=shard_shape(group, ranks, padding), experts=experts, dtype=group.dtype, split=group.split
    )
