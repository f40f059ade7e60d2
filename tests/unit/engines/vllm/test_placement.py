import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.engines.vllm.arguments import Arguments
from servespec.engines.vllm.placement import loads_towers, stage_layers
from servespec.models.sources.catalogue import read
from tests.unit.engines.vllm.deployments import deploy

VISION_MODEL = "Qwen/Qwen3-VL-8B-Instruct"


@given(layers=st.integers(1, 200), stages=st.integers(1, 16))
def test_stages_hold_every_layer_once_and_differ_by_one_at_most(layers: int, stages: int) -> None:
    ranges = stage_layers(layers, stages, "0.25.1")
    assert [layer for stage in ranges for layer in stage] == list(range(layers))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1


@pytest.mark.parametrize(
    ("version", "layers", "stages", "counts"),
    [
        ("0.25.1", 31, 2, [16, 15]),
        ("0.25.1", 62, 4, [15, 16, 16, 15]),
        ("0.8.0", 61, 4, [15, 15, 16, 15]),
        ("0.8.0", 80, 8, [10] * 8),
        ("0.7.3", 61, 4, [15, 15, 15, 16]),
        ("0.7.3", 61, 8, [7, 7, 7, 7, 7, 7, 7, 12]),
    ],
)
def test_layers_left_over_spare_the_last_stage_since_0_8(
    version: str, layers: int, stages: int, counts: list[int]
) -> None:
    """vllm/distributed/utils.py get_pp_indices of 0.7.3, 0.8.0 and 0.32.0."""
    assert [len(stage) for stage in stage_layers(layers, stages, version)] == counts


@pytest.mark.parametrize(
    ("args", "loaded"),
    [
        ({}, True),
        ({"limit_mm_per_prompt": {"image": 0, "video": 0}}, False),
        ({"limit_mm_per_prompt": '{"image": 0, "video": 0}'}, False),
        ({"limit_mm_per_prompt": {"image": 0}}, True),
        ({"limit_mm_per_prompt": {"image": 2, "video": 0}}, True),
        ({"language_model_only": True}, False),
    ],
)
def test_a_vision_tower_is_dropped_when_nothing_may_use_it(args: dict[str, object], loaded: bool) -> None:
    found = read(VISION_MODEL)
    assert found is not None
    assert loads_towers(deploy(config=found.config, args=args)) is loaded


def test_a_flag_is_known_by_any_of_its_spellings() -> None:
    flags = Arguments({"--tp": 4, "max-num-seqs": 8, "no_enable_prefix_caching": True, "cc.mode": 3})
    assert flags.get("tensor_parallel_size") == 4
    assert flags.get("max_num_seqs") == 8
    assert flags.get("enable_prefix_caching") is False
    assert flags.mapping("compilation_config") == {"mode": 3}
    assert flags.key("tensor_parallel_size") == "targets.vllm.args.--tp"
    assert "nothing" not in flags


def test_json_that_is_none_counts_as_absent() -> None:
    assert Arguments({"compilation_config": "{nonsense"}).mapping("compilation_config") == {}
    assert Arguments({"compilation_config": "[1]"}).mapping("compilation_config") == {}
