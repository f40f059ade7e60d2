"""What divides what, for rules about parallel ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from servespec.memory.shards import indivisible
from servespec.models.facts import TensorGroup
from servespec.rules.subject import Subject


def possible(subject: Subject, is_allowed: Callable[[int], bool]) -> str:
    """The end of a message: tensor-parallel sizes of up to the spec's GPUs, or 8, that divide the attention heads and
    are allowed otherwise."""
    gpus, heads = subject.spec.hardware.count * subject.spec.hardware.nodes, subject.model.attention_heads
    sizes = [size for size in range(1, max(gpus, 8) + 1) if heads % size == 0 and is_allowed(size)]
    return f"; possible: {listed(sizes)}" if sizes else ""


def short_name(group: TensorGroup) -> str:
    """A layer's module without its way down: ``mlp.gate_proj``."""
    return ".".join(group.module.split(".")[-2:])


def undivided(subject: Subject, group: TensorGroup) -> str:
    """The same for sizes that divide the width of a layer."""
    return possible(subject, lambda size: indivisible(group, size) is None)


def shares_heads(kv_heads: int) -> Callable[[int], bool]:
    """Whether ranks get equal shares of the key/value heads, or each head the same number of ranks."""
    return lambda size: kv_heads < 1 or kv_heads % size == 0 or size % kv_heads == 0


def listed(values: Sequence[int]) -> str:
    """Numbers as people write a list: ``1, 2 or 4``."""
    words = [f"{value:,}" for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
