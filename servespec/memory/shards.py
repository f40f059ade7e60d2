"""The share of a tensor that one tensor-parallel or expert-parallel rank holds."""

from __future__ import annotations

from servespec.models.facts import Split, TensorGroup, TensorKind


def ceil_div(value: int, divisor: int) -> int:
    """value ÷ divisor, rounded up."""
    return -(-value // divisor)


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of ``multiple`` that is not below ``value``."""
    return ceil_div(value, multiple) * multiple


def heads_per_rank(heads: int, tensor_parallel: int) -> int:
    """Heads on one rank; fewer heads than ranks are replicated, one on each."""
    return max(1, ceil_div(heads, tensor_parallel))


def vocabulary_per_rank(vocabulary: int, tensor_parallel: int, padding: int = 1) -> int:
    """Rows of an embedding on one rank: the vocabulary padded to ``padding``, split evenly."""
    return ceil_div(round_up(vocabulary, padding), tensor_parallel)


def shard_shape(group: TensorGroup, tensor_parallel: int, vocabulary_padding: int = 1) -> tuple[int, ...]:
    """The shape of one tensor of the group on one tensor-parallel rank.

    Uneven divisions are rounded up: that is the largest rank, and it never grows with more ranks.
    """
    if group.split is Split.replicated:
        return group.shape
    if group.split is Split.vocabulary:
        rows = vocabulary_per_rank(group.shape[0], tensor_parallel, vocabulary_padding)
        return (rows, *group.shape[1:])
    if tensor_parallel == 1:
        return group.shape
    if group.split is Split.rows:
        return (ceil_div(group.shape[0], tensor_parallel), *group.shape[1:])
    if group.split is Split.columns:
        if len(group.shape) < 2:
            return group.shape
        return (group.shape[0], ceil_div(group.shape[1], tensor_parallel), *group.shape[2:])
    head_rows = group.shape[0] // group.heads
    return (heads_per_rank(group.heads, tensor_parallel) * head_rows, *group.shape[1:])


def indivisible(group: TensorGroup, tensor_parallel: int) -> int | None:
    """The width that an even split over the ranks cannot divide; None where it divides, or is not split so.

    Engines assert it while they build the layer (``divide`` of Megatron's parallel layers); heads are counted by
    rules of their own, and the vocabulary is padded.
    """
    if group.kind not in (TensorKind.linear, TensorKind.expert):
        return None
    if group.split is Split.rows:
        width = group.shape[0]
    elif group.split is Split.columns and len(group.shape) > 1:
        width = group.shape[1]
    else:
        return None
    return width if width % tensor_parallel else None


def elements_of(shape: tuple[int, ...]) -> int:
    """Number of elements of a shape."""
    result = 1
    for size in shape:
        result *= size
    return result
