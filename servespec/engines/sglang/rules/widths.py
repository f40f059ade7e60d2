"""Layers and experts that SGLang's ranks cannot share out evenly."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.sglang.rules.view import attention_parallel, tensor_parallel, tensor_parallel_key
from servespec.memory.shards import indivisible
from servespec.models.facts import Part, TensorKind
from servespec.rules.base import Finding, rule
from servespec.rules.divide import short_name, undivided
from servespec.rules.subject import Subject


def _expert_parallel(subject: Subject) -> int:
    return max(1, subject.integer("ep_size") or 1)


@rule(
    code="SV358",
    name="sglang-width-not-divisible",
    severity=Severity.error,
    engine="sglang",
    summary="Tensor parallelism must divide the width of every layer that it splits.",
    explanation="MLP, projections and experts are cut into equal parts, one for each rank; SGLang asserts that the width "
    "divides while it builds the layer. Experts are cut by tp_size ÷ ep_size ranks.",
    error_text="AssertionError: A is not divisible by B\nassert intermediate_size % self.moe_tp_size == 0",
    fix="Choose a number of ranks that divides the layers, or set parallel.expert: true.",
    source="SGLang 0.5.23 srt/distributed/utils.py divide, srt/layers/linear.py, srt/layers/moe/fused_moe_triton/layer.py",
    triggers=("parallel.tensor", "args.tp_size"),
)
def width_not_divisible(subject: Subject) -> Iterable[Finding]:
    """A split width % its ranks != 0."""
    tensor, groups = tensor_parallel(subject), attention_parallel(subject)
    if tensor % groups or subject.model.attention_heads % (tensor // groups):
        return
    for group in subject.model.tensors:
        if group.part is not Part.decoder or "shared_expert" in group.name:  # these can be kept whole
            continue
        ranks = tensor
        if group.kind is TensorKind.expert:
            ranks = tensor // _expert_parallel(subject)
        elif "attn" in group.name:
            ranks = tensor // groups
        elif groups > 1:  # dense layers of models with data-parallel attention have a size of their own
            continue
        width = indivisible(group, max(1, ranks))
        if width is not None:
            yield Finding(
                message=f"{short_name(group)} is {width:,} wide, which {ranks} ranks cannot share out"
                + undivided(subject, group),
                key=tensor_parallel_key(subject),
            )
            return


@rule(
    code="SV359",
    name="sglang-experts-not-divisible",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.6",
    summary="Expert-parallel ranks must divide the tensor-parallel ranks and the experts.",
    explanation="Every expert-parallel rank holds an equal number of whole experts, and the ranks are parts of the "
    "tensor-parallel ones.",
    error_text="assert self._num_global_routed % storage_ep_size == 0",
    fix="Choose an ep_size that divides parallel.tensor and the number of experts.",
    source="SGLang 0.5.23 srt/layers/moe/fused_moe_triton/layer.py, srt/runtime_context.py parallel_widths_of; 0.4.6 "
    "srt/layers/moe/ep_moe/layer.py",
    triggers=("parallel.expert", "args.ep_size", "args.expert_parallel_size", "args.ep"),
)
def experts_not_divisible(subject: Subject) -> Iterable[Finding]:
    """experts % ep != 0, or tp % ep != 0."""
    ranks, tensor, moe = _expert_parallel(subject), tensor_parallel(subject), subject.model.moe
    key = subject.key("ep_size") or "parallel.expert"
    if moe is None or ranks <= 1:
        return
    redundant = subject.integer("ep_num_redundant_experts") or 0
    if tensor % ranks:
        yield Finding(
            message=f"{ranks} expert-parallel ranks do not divide {tensor} tensor-parallel ones", key=key
        )
    elif (moe.experts + redundant) % ranks:
        yield Finding(
            message=f"{moe.experts + redundant} experts cannot be shared out over {ranks} expert-parallel ranks",
            key=key,
        )
