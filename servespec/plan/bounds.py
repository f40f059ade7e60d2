"""What a configuration needs at least and holds at most, without asking the engine: what pruning rests on.

Every figure here is on the safe side of what the engine's own budget says: weights and KV bytes are never above it,
the memory for the cache never below. A property test holds the search against one without bounds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from servespec.models.facts import KVKind, Part, TensorKind

if TYPE_CHECKING:
    from servespec.models.facts import ModelFacts
    from servespec.plan.candidate import Candidate, Split
    from servespec.spec.model import Spec

LEAST_BITS = 4
"""Bits of a weight whose stored form is the engine's own choice: no engine stores fewer."""


@lru_cache(maxsize=1024)
def _rank_bytes(facts: _Facts, method: str | None, tensor: int) -> tuple[int, int]:
    """Bytes of one tensor-parallel rank of the whole model: (all but routed experts, routed experts).

    Replicated tensors are whole on every rank; experts are counted as an even share, which holds however they are cut.
    """
    from servespec.memory.shards import elements_of, shard_shape
    from servespec.models.quantization import by_format, online_quantization

    model = facts.model
    quantization = model.quantization
    if quantization is None and method is not None:
        quantization = online_quantization(method)
    least = LEAST_BITS if method is not None else 16
    bits = {True: 0, False: 0}
    for group in model.tensors:
        if group.part is not Part.decoder or (group.kind is TensorKind.lm_head and model.tied_embeddings):
            continue
        routed = group.kind is TensorKind.expert
        for part, found in by_format(quantization, group):
            if found is not None:
                size = min(found.bits, 16)
            else:
                size = least if routed or group.kind is TensorKind.linear else 16
            own = part.elements // tensor if routed else elements_of(shard_shape(part, tensor))
            bits[routed] += own * part.count * size
    return bits[False] // 8, bits[True] // 8


class _Facts:
    """Facts by identity: they hold mappings and cannot be hashed."""

    __slots__ = ("model",)

    def __init__(self, model: ModelFacts) -> None:
        self.model = model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Facts) and self.model is other.model

    def __hash__(self) -> int:
        return id(self.model)


def is_free_of_bounds(spec: Spec, engine: str) -> bool:
    """Whether flags move weights or cache off the GPU, or spread them by a rule that is not modelled here."""
    target = spec.targets.get(engine)
    words = (
        *("offload", "context", "kv_cache", "quant", "dtype", "load_format", "num_gpu", "total_tokens"),
        *("swa", "sliding"),
    )
    named = target is not None and any(
        word in name.replace("-", "_") for name in target.args for word in words
    )
    return named or spec.model.adapters is not None or spec.kv_cache.space_gib is not None


def least_weights_bytes(candidate: Candidate) -> int:
    """Of the GPU with the most weights: no less than an even share of the pipeline's.

    Dense layers are whole on every data-parallel rank; routed experts may be spread over those too.
    """
    split, checkpoint = candidate.split, candidate.checkpoint
    dense, experts = _rank_bytes(_Facts(checkpoint.facts), checkpoint.model.quantization, split.tensor)
    return (dense + experts // split.data) // split.pipeline


def least_kv_bytes_per_token(facts: ModelFacts, kv_dtype: str, split: Split) -> float:
    """Of one token in the layers that keep every token, an even share of the stages."""
    return _least_kv_bytes(facts, kv_dtype, split, 1, (KVKind.full, KVKind.latent))


def least_kv_bytes_of_request(facts: ModelFacts, kv_dtype: str, split: Split, tokens: int) -> float:
    """Of a request of so many tokens, an even share of the stages; sliding windows hold no more than the window."""
    return _least_kv_bytes(facts, kv_dtype, split, tokens, (KVKind.full, KVKind.latent, KVKind.sliding))


def _least_kv_bytes(
    facts: ModelFacts, kv_dtype: str, split: Split, tokens: int, kinds: tuple[KVKind, ...]
) -> float:
    from servespec.memory.kv import token_elements

    element = 1.0 if kv_dtype.startswith("fp8") else 2.0
    if kv_dtype == "auto" and facts.quantization is not None and facts.quantization.kv_cache_dtype:
        element = 0.5
    elif kv_dtype != "auto" and not kv_dtype.startswith("fp8"):
        element = 0.25  # packed types have two bits at the least
    size = 0.0
    for layers in facts.kv:
        if layers.part is not Part.decoder or layers.kind not in kinds:
            continue
        own = token_elements(layers, split.tensor) * element
        each = min(own, layers.token_bytes) if layers.token_bytes is not None else own
        kept = min(tokens, layers.window or 0) if layers.kind is KVKind.sliding else tokens
        size += each * kept * len(layers.layers) / layers.compress_ratio
    return size / split.pipeline


def most_kv_bytes(candidate: Candidate, spec: Spec, weights_bytes: int, share: float | None) -> float:
    """The device's total, or the share of it that the engine takes (else the spec allows), less the weights."""
    return candidate.gpu.total_bytes * (share or spec.limits.gpu_memory_fraction or 1.0) - weights_bytes


def most_concurrency(kv_bytes: float, of_request: float, spec: Spec) -> float:
    """Requests of that many bytes that one data-parallel rank can hold, were all of it KV cache."""
    limit = float(spec.limits.max_concurrent_requests or MOST_SEQUENCES)
    return min(limit, kv_bytes / of_request) if of_request else limit


MOST_SEQUENCES = 1 << 20
"""More requests than any engine schedules together."""
