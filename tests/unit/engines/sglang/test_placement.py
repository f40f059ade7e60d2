"""Which layers a pipeline stage holds: get_pp_indices of the released versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.engines.sglang.placement import stage_layers


@given(layers=st.integers(1, 200), stages=st.integers(1, 16))
def test_stages_hold_every_layer_once_and_differ_by_one_at_most(layers: int, stages: int) -> None:
    ranges = stage_layers(layers, stages, "0.5.23")
    assert [layer for stage in ranges for layer in stage] == list(range(layers))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1


@pytest.mark.parametrize(
    ("version", "layers", "stages", "counts"),
    [
        ("0.5.23", 3, 2, [1, 2]),  # seen on the engine: tests/engines/test_tensor_parallel.py
        ("0.5.6", 61, 8, [7, 7, 7, 8, 8, 8, 8, 8]),
        ("0.5.5.post3", 61, 8, [7, 7, 7, 7, 7, 7, 7, 12]),
        ("0.5.5.post3", 80, 8, [10] * 8),
    ],
)
def test_layers_left_over_go_to_the_last_stages(
    version: str, layers: int, stages: int, counts: list[int]
) -> None:
    assert [len(stage) for stage in stage_layers(layers, stages, version)] == counts
