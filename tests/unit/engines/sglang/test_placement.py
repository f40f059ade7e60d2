"""Which layers and tensors a pipeline stage holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.engines.sglang.placement import loaded, stage_layers
from servespec.models.facts import TensorKind
from tests.unit.engines.sglang.deployments import LLAMA_8B, deploy


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


@pytest.mark.parametrize(
    ("architecture", "model_type", "on_first"),
    [("LlamaForCausalLM", "llama", True), ("Qwen3ForCausalLM", "qwen3", False)],
)
def test_some_models_have_their_output_layer_on_every_stage(
    architecture: str, model_type: str, on_first: bool
) -> None:
    """models/llama.py makes ParallelLMHead on every stage, models/qwen3.py on the last alone."""
    config = {**LLAMA_8B, "architectures": [architecture], "model_type": model_type, "head_dim": 128}
    found = deploy(config=config, hardware={"count": 2}, parallel={"pipeline": 2})
    first = [group.name for group in loaded(found, 0) if group.kind is TensorKind.lm_head]
    last = [group.name for group in loaded(found, 1) if group.kind is TensorKind.lm_head]
    assert bool(first) is on_first
    assert len(last) == 1
