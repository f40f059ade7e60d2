"""Layers of a model that vLLM's ranks cannot share out evenly."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.vllm.rules.view import (
    data_parallel,
    expert_parallel,
    tensor_parallel,
    tensor_parallel_key,
)
from servespec.memory.shards import indivisible
from servespec.models.facts import Part, Split, TensorGroup, TensorKind
from servespec.models.quantization import by_format
from servespec.rules.base import Finding, rule
from servespec.rules.divide import short_name, undivided
from servespec.rules.subject import Subject
from servespec.rules.versions import holds

EXPERTS_SPAN_REPLICAS = ">=0.8.5"
"""FusedMoEParallelConfig.make: experts that are not spread whole are split over data-parallel ranks as well."""


@rule(
    code="SV361",
    name="vllm-width-not-divisible",
    severity=Severity.error,
    engine="vllm",
    summary="Tensor parallelism must divide the width of every layer that it splits.",
    explanation="MLP and projections are cut into equal parts, one for each tensor-parallel rank; vLLM asserts that the "
    "width divides while it builds the layer.",
    error_text="AssertionError: A is not divisible by B",
    fix="Choose a tensor-parallel size that divides the layers, mostly a power of two.",
    source="vLLM 0.8.5, 0.32.0 vllm/distributed/utils.py divide; model_executor/layers/linear.py",
    triggers=("parallel.tensor", "args.tensor_parallel_size", "args.tp"),
)
def width_not_divisible(subject: Subject) -> Iterable[Finding]:
    """A split width % tp != 0."""
    ranks, model = tensor_parallel(subject), subject.model
    if model.attention_heads % ranks:
        return
    for group in model.tensors:
        if group.kind is TensorKind.expert or group.part is not Part.decoder:
            continue
        width = indivisible(group, ranks)
        if width is not None:
            yield Finding(
                message=f"{short_name(group)} is {width:,} wide, which {ranks} tensor-parallel ranks cannot share out"
                + undivided(subject, group),
                key=tensor_parallel_key(subject),
            )
            return


def _cut_block(subject: Subject, group: TensorGroup, ranks: int) -> int | None:
    """The block of the expert's weights, where it does not divide what is left of the expert on one rank."""
    for part, form in by_format(subject.model.quantization, group):
        block = form.block if form is not None else None
        axis = 1 if part.split is Split.columns else 0
        if block and part.shape[axis] // ranks % block[axis]:
            return block[axis]
    return None


@rule(
    code="SV362",
    name="vllm-expert-width-not-divisible",
    severity=Severity.error,
    engine="vllm",
    summary="Experts that are not spread whole are cut by tensor × data ranks, which must divide their width.",
    explanation="Without expert parallelism every expert is cut into as many parts as there are tensor-parallel ranks of "
    "all data-parallel replicas together: tensor × data. Their width must be a multiple of that.",
    error_text="assert self.intermediate_size % tp_size == 0",
    fix="Set parallel.expert: true, or choose tensor × data so that it divides the experts' width.",
    source="vLLM 0.32.0 vllm/model_executor/layers/fused_moe/config.py FusedMoEConfig.__post_init__, "
    "FusedMoEParallelConfig.make; 0.8.5 to 0.25.1 fused_moe/layer.py",
    triggers=("model:moe",),
)
def expert_width_not_divisible(subject: Subject) -> Iterable[Finding]:
    """An expert's width % (tp * dp) != 0, without expert parallelism."""
    tensor, data = tensor_parallel(subject), data_parallel(subject)
    if expert_parallel(subject) or subject.model.attention_heads % tensor:
        return
    ranks = tensor * data if holds(EXPERTS_SPAN_REPLICAS, subject.version) else tensor
    key = "parallel.data" if data > 1 else tensor_parallel_key(subject)
    if data > 1:
        key = subject.key("data_parallel_size") or key
    for group in subject.model.tensors:
        if group.kind is not TensorKind.expert or group.part is not Part.decoder:
            continue
        width = indivisible(group, ranks)
        if width is not None:
            yield Finding(
                message=f"an expert is {width:,} wide, which tensor {tensor} × data {data} = {ranks} ranks cannot share "
                "out: set parallel.expert, or choose other ranks",
                key=key,
            )
            return
        block = _cut_block(subject, group, ranks) if data > 1 else None
        if block is not None:
            yield Finding(
                message=f"tensor {tensor} × data {data} = {ranks} ranks cut through the FP8 blocks of {block} of an expert: set "
                "parallel.expert, or choose other ranks",
                key=key,
            )
            return


@rule(
    code="SV370",
    name="vllm-mamba-groups-not-divisible",
    severity=Severity.error,
    engine="vllm",
    summary="Tensor parallelism must divide the groups of a Mamba 2 mixer, unless there is but one.",
    explanation="The heads of a group share B and C. vLLM splits whole groups over the ranks, or copies a single one to all of "
    "them; anything between it refuses while the model is built.",
    error_text="If tensor parallel world size does not divide num_groups, then num_groups must equal 1.",
    fix="Choose a tensor-parallel size that divides the groups.",
    source="vLLM 0.8.5, 0.32.0 vllm/model_executor/layers/mamba/mamba_mixer2.py",
    triggers=("parallel.tensor", "args.tensor_parallel_size", "args.tp"),
)
def mamba_groups_not_divisible(subject: Subject) -> Iterable[Finding]:
    """Groups % tp != 0, and more than one group."""
    groups, ranks = subject.model.extra.get("mamba_groups"), tensor_parallel(subject)
    if isinstance(groups, int) and groups > 1 and groups % ranks and "model:recurrent" in subject.words:
        yield Finding(
            message=f"{groups} groups of the Mamba mixers cannot be shared out over {ranks} tensor-parallel ranks",
            key=tensor_parallel_key(subject),
        )
