"""Bytes that layers keep for a token or a sequence, on one rank."""

from __future__ import annotations

from servespec.memory.elements import element_bytes
from servespec.memory.shards import ceil_div, elements_of, heads_per_rank
from servespec.models.facts import KVKind, KVLayers, StateTensor


def token_elements(layers: KVLayers, tensor_parallel: int) -> int:
    """Elements that one of these layers keeps for a token on one rank.

    ``kv_heads_per_rank × (key_dim + value_dim)``; a latent or an indexer cache is replicated over
    tensor-parallel ranks; a recurrent layer keeps nothing for a token.
    """
    if layers.kind is KVKind.recurrent:
        return 0
    if layers.kind in (KVKind.latent, KVKind.indexer):
        return layers.key_dim + layers.value_dim
    return heads_per_rank(layers.kv_heads, tensor_parallel) * (layers.key_dim + layers.value_dim)


def state_shape(state: StateTensor, tensor_parallel: int) -> tuple[int, ...]:
    """The shape of a recurrent state on one tensor-parallel rank."""
    if state.split_axis is None:
        return state.shape
    axis = state.split_axis
    return (
        *state.shape[:axis],
        ceil_div(state.shape[axis], tensor_parallel),
        *state.shape[axis + 1 :],
    )


def state_bytes(layers: KVLayers, tensor_parallel: int, dtype: str) -> int:
    """Bytes of one layer's recurrent state for one sequence on one rank; ``dtype`` where none is fixed."""
    return sum(
        elements_of(state_shape(state, tensor_parallel)) * element_bytes(state.dtype or dtype)
        for state in layers.states
    )
