"""Weights of one shard as TGI loads them.

Source: server/text_generation_server/layers/tensor_parallel.py, utils/weights.py, models/custom_modeling/*.py.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.deployment import Deployment
from servespec.memory.budget import Term
from servespec.memory.remembered import remembered
from servespec.memory.shards import shard_shape
from servespec.models.facts import Part, Quantization, TensorGroup, TensorKind
from servespec.models.quantization import by_format, checkpoint_bytes, online_quantization

MIB = 2**20


def quantization_of(deployment: Deployment) -> Quantization | None:
    """The checkpoint's own quantization, else the one done while loading. Raises UnmodelledError."""
    if deployment.model.quantization is not None:
        return deployment.model.quantization
    method = deployment.settings.value("quantize")
    return online_quantization(method) if isinstance(method, str) else None


def weights(deployment: Deployment) -> Term:
    """Bytes of the tensors of one shard; a tied output layer is loaded a second time. Raises UnmodelledError."""
    return _weights(deployment, 0)


@remembered
def _weights(deployment: Deployment, stage: int) -> Term:
    shards = deployment.settings.integer("num_shard")
    dtype = str(deployment.settings.value("dtype"))
    quantization = quantization_of(deployment)
    total = tied = 0
    for group in deployment.model.tensors:
        if group.part is Part.mtp or (group.kind is TensorKind.lm_head and deployment.model.tied_embeddings):
            continue
        for part, found in by_format(quantization, group):
            total += checkpoint_bytes(_shard(part, shards), found, dtype)
        if deployment.model.tied_embeddings and _is_token_embedding(group, deployment):
            tied = checkpoint_bytes(_shard(group, shards), None, dtype)
    return Term(
        name="weights",
        size_bytes=total + tied,
        formula="Σ tensors of the shard + the output layer again where it is tied",
        numbers=f"{total:,} + {tied:,}",
        source="TGI layers/tensor_parallel.py TensorParallelHead.load",
        # TGI prints no weights: the allocator's rounding, as other engines' logs show it.
        uncertainty_bytes=round(0.005 * (total + tied)) + 32 * MIB,
    )


def _is_token_embedding(group: TensorGroup, deployment: Deployment) -> bool:
    return (
        group.kind is TensorKind.embedding
        and group.part is Part.decoder
        and group.shape[0] == deployment.model.vocab_size
    )


def _shard(group: TensorGroup, shards: int) -> TensorGroup:
    return replace(group, shape=shard_shape(group, shards))
