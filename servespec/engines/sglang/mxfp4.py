"""MXFP4 experts as SGLang's kernels keep them.

Source: layers/quantization/mxfp4.py Mxfp4MoEMethod (create_weights and process_weights_after_loading, 0.5.17);
arg_groups/overrides.py (flashinfer on Blackwell, Triton kernels before it).
"""

from __future__ import annotations

from dataclasses import replace

from servespec.deployment import Deployment
from servespec.memory.shards import round_up
from servespec.models.facts import Split, TensorGroup, TensorKind, WeightFormat

TRITON_ALIGNMENT, FLASHINFER_ALIGNMENT = 64, 128

# The Triton path swizzles layer after layer into new tensors, which leaves holes in the allocator's
# segments: gpt-oss-20b on an H200 (0.5.17) takes 2.18 GB beyond its tensors, of 10.15 GB of experts.
TRITON_HOLES = 0.215


def is_mxfp4_expert(group: TensorGroup, found: WeightFormat | None) -> bool:
    """Whether the tensor is an expert's in MXFP4."""
    return group.kind is TensorKind.expert and found is not None and found.name == "mxfp4"


def uses_triton(deployment: Deployment) -> bool:
    """Whether the experts run on Triton kernels: CUDA before Blackwell."""
    capability = deployment.gpu.compute_capability or (0, 0)
    return deployment.gpu.kind == "cuda" and capability[0] < 10


def padded(shard: TensorGroup, deployment: Deployment) -> TensorGroup:
    """One rank's share of an expert, its sides rounded up as the kernel wants them."""
    if len(shard.shape) != 2:
        return shard
    outputs, inputs = shard.shape
    is_down = shard.split is Split.columns
    if uses_triton(deployment):
        shape = (
            (outputs, round_up(inputs, TRITON_ALIGNMENT))
            if is_down
            else (round_up(outputs, TRITON_ALIGNMENT), inputs)
        )
    else:
        shape = (round_up(outputs, FLASHINFER_ALIGNMENT), round_up(inputs, FLASHINFER_ALIGNMENT))
    return replace(shard, shape=shape)


def holes_bytes(expert_bytes: int, deployment: Deployment) -> int:
    """What repacking leaves unusable, for ``expert_bytes`` of MXFP4 experts on the rank."""
    return round(TRITON_HOLES * expert_bytes) if uses_triton(deployment) else 0
