import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.errors import UnmodelledError
from servespec.memory.elements import element_bits, element_bytes
from servespec.memory.kv import state_bytes, token_elements
from servespec.memory.shards import heads_per_rank, round_up, shard_shape, vocabulary_per_rank
from servespec.models.facts import KVKind, KVLayers, Split, StateTensor, TensorGroup, TensorKind


def group(split: Split, shape: tuple[int, ...] = (4096, 1024), heads: int = 0) -> TensorGroup:
    return TensorGroup(name="w.weight", shape=shape, kind=TensorKind.linear, split=split, heads=heads)


def test_each_way_to_split_takes_its_own_axis() -> None:
    assert shard_shape(group(Split.replicated), 4) == (4096, 1024)
    assert shard_shape(group(Split.rows), 4) == (1024, 1024)
    assert shard_shape(group(Split.columns), 4) == (4096, 256)
    assert shard_shape(group(Split.heads, heads=8), 4) == (1024, 1024)
    assert shard_shape(group(Split.heads, heads=2), 4) == (2048, 1024)


def test_a_vocabulary_is_padded_before_it_is_split() -> None:
    assert vocabulary_per_rank(32001, 1, 64) == 32064
    assert vocabulary_per_rank(32001, 2, 64) == 16032


@given(heads=st.integers(1, 128), ranks=st.integers(1, 64))
def test_a_rank_has_a_head_at_least_and_more_ranks_never_more(heads: int, ranks: int) -> None:
    assert heads_per_rank(heads, ranks) >= 1
    assert heads_per_rank(heads, ranks + 1) <= heads_per_rank(heads, ranks)


@given(value=st.integers(0, 10**9), multiple=st.integers(1, 10**5))
def test_rounding_up_gives_the_next_multiple(value: int, multiple: int) -> None:
    rounded = round_up(value, multiple)
    assert rounded % multiple == 0
    assert 0 <= rounded - value < multiple


def test_a_latent_cache_is_on_every_rank_and_heads_are_shared_out() -> None:
    latent = KVLayers(kind=KVKind.latent, layers=(0,), key_dim=576)
    heads = KVLayers(kind=KVKind.full, layers=(0,), kv_heads=8, key_dim=128, value_dim=128)
    assert token_elements(latent, 8) == 576
    assert [token_elements(heads, ranks) for ranks in (1, 8, 16)] == [2048, 256, 256]


def test_a_recurrent_state_is_split_on_its_axis_and_keeps_its_own_type() -> None:
    layers = KVLayers(
        kind=KVKind.recurrent,
        layers=(0,),
        states=(StateTensor((8192, 3), 0), StateTensor((32, 128, 128), 0, "float32")),
    )
    assert state_bytes(layers, 1, "bfloat16") == 8192 * 3 * 2 + 32 * 128 * 128 * 4
    assert state_bytes(layers, 4, "bfloat16") == 2048 * 3 * 2 + 8 * 128 * 128 * 4


def test_packed_types_have_bits_but_no_whole_bytes() -> None:
    assert element_bits("torch.int4") == 4
    assert element_bytes("torch.bfloat16") == 2
    with pytest.raises(UnmodelledError):
        element_bytes("int4")
    with pytest.raises(UnmodelledError):
        element_bits("nosuch")
