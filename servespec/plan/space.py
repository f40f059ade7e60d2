"""What is searched: GPUs × splits × checkpoints × KV types × contexts × engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.plan.candidate import Candidate, Checkpoint, Split

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU
    from servespec.models.facts import ModelFacts

GPUS_PER_NODE = 8
SHORTEST_CONTEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The values of each dimension, the spec's own first: that is also the order of preference.

    Checkpoints come with their place in that order, 0 for the spec's own.
    """

    checkpoints: Sequence[tuple[int, Checkpoint]]
    engines: Sequence[str]
    gpus: Sequence[GPU]
    kv_dtypes: Sequence[str]
    contexts: Sequence[int | None]
    splits: Sequence[Split]

    def candidates(self) -> Iterator[Candidate]:
        """All combinations that make sense for the checkpoint and the GPU."""
        for c, checkpoint in self.checkpoints:
            possible = [
                (s, split)
                for s, split in enumerate(self.splits)
                if problem_of(split, checkpoint.facts) is None
            ]
            for g, gpu in enumerate(self.gpus):
                for s, split in possible:
                    if split.gpus > 1 and gpu.interconnect == "none":
                        continue
                    for k, kv_dtype in enumerate(self.kv_dtypes):
                        for x, context in enumerate(self.contexts):
                            for e, engine in enumerate(self.engines):
                                rank = (c, k, x, s, e, g)
                                yield Candidate(checkpoint, engine, gpu, split, kv_dtype, context, rank)

    def __len__(self) -> int:
        """All combinations, those that make no sense too."""
        sizes = (self.checkpoints, self.engines, self.gpus, self.kv_dtypes, self.contexts, self.splits)
        total = 1
        for values in sizes:
            total *= len(values)
        return total


def problem_of(split: Split, facts: ModelFacts) -> str | None:
    """Why a model cannot be split so; None where it can."""
    if facts.attention_heads and facts.attention_heads % split.tensor:
        return f"{facts.attention_heads} attention heads do not divide by tensor {split.tensor}"
    ranks = (
        split.tensor * split.data
    )  # vLLM shards experts over replicas too (fused_moe/config.py FusedMoEParallelConfig)
    if facts.moe is not None and facts.moe.intermediate_size % ranks:
        return f"experts of {facts.moe.intermediate_size} features do not divide by {ranks} ranks"
    if split.pipeline > facts.layers:
        return f"{facts.layers} layers are fewer than {split.pipeline} pipeline stages"
    return None


def splits(
    nodes: int, vary: frozenset[str], given: Split, per_node: int = GPUS_PER_NODE
) -> tuple[Split, ...]:
    """Splits over 1 to ``per_node`` GPUs of a node, or over ``nodes`` whole nodes; the simplest first.

    A dimension that does not vary keeps the given size. Tensor ranks stay inside a node.
    """

    def sizes(name: str, own: int, most: int) -> range | tuple[int, ...]:
        return range(1, most + 1) if name in vary else (own,)

    found = []
    most = per_node * nodes
    for tensor in sizes("tensor", given.tensor, per_node):
        for pipeline in sizes("pipeline", given.pipeline, most):
            for data in sizes("data", given.data, most):
                split = Split(tensor, pipeline, data, nodes)
                fills = split.gpus <= per_node if nodes == 1 else split.gpus == most
                if fills and (pipeline * data) % nodes == 0:
                    found.append(split)
    return tuple(sorted(found, key=lambda split: (split.data, split.pipeline, split.tensor)))


def contexts(own: int | None, longest: int, needed: int) -> tuple[int | None, ...]:
    """The spec's own context, then half of it and so on, down to the least that the workload needs."""
    found: list[int | None] = [own]
    length = (own or longest) // 2
    while length >= max(needed, SHORTEST_CONTEXT):
        found.append(length)
        length //= 2
    least = -(-max(needed, SHORTEST_CONTEXT) // SHORTEST_CONTEXT) * SHORTEST_CONTEXT
    if least < (own or longest) and least not in found:
        found.append(least)
    return tuple(found)
