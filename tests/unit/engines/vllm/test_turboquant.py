"""TurboQuant caches against pull request 40798's figures: Llama-3.1-70B on two H200, turboquant_3bit_nc."""

import pytest

from servespec.engines.vllm.kv import layer_specs
from servespec.engines.vllm.kv.turboquant import boundary_layers, slot_bytes
from servespec.engines.vllm.memory import budget
from servespec.memory.budget import MemoryBudget
from tests.unit.engines.vllm.deployments import LLAMA_8B, deploy

GIB = 2**30
LLAMA_70B = {
    **LLAMA_8B,
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
}


def measured(version: str) -> MemoryBudget:
    return budget(
        deploy(
            config=LLAMA_70B,
            version=version,
            gpu="H200-141GB",
            parallel={"tensor": 2},
            limits={"max_model_len": 65536, "gpu_memory_fraction": 0.9},
            kv_cache={"dtype": "turboquant_3bit_nc"},
        )
    )


@pytest.mark.parametrize(
    ("version", "weights_gib", "cache_gib"), [("0.20.0", 105.23, 14.61), ("0.21.0", 65.74, 53.97)]
)
def test_scratch_of_every_layer_counted_as_weights_before_0_21(
    version: str, weights_gib: float, cache_gib: float
) -> None:
    found = measured(version)
    assert found.weights.size_bytes / GIB == pytest.approx(weights_gib, abs=0.02)
    assert abs(found.kv_cache_bytes - cache_gib * GIB) < found.uncertainty_bytes
    assert found.kv_bytes_per_token == 76 * 4 * 102 + 4 * 4 * 128 * 2 * 2


@pytest.mark.parametrize(
    ("cache_dtype", "size"),
    [
        ("turboquant_k8v4", 196),
        ("turboquant_4bit_nc", 134),
        ("turboquant_k3v4_nc", 118),
        ("turboquant_3bit_nc", 102),
    ],
)
def test_slots_of_heads_of_128(cache_dtype: str, size: int) -> None:
    assert slot_bytes(cache_dtype, 128) == size


def test_the_outermost_layers_stay_as_they_are() -> None:
    assert boundary_layers(32, is_hybrid=False) == ("0", "1", "30", "31")
    assert boundary_layers(1, is_hybrid=False) == ()
    assert boundary_layers(32, is_hybrid=True) == ()


def test_named_layers_keep_the_type_of_the_model() -> None:
    deployment = deploy(
        config=LLAMA_8B,
        version="0.32.0",
        gpu="H100-80GB",
        kv_cache={"dtype": "fp8"},
        args={"kv-cache-dtype-skip-layers": [0, 5]},
    )
    pages = {layer: spec.page_bytes for layer, spec in layer_specs(deployment)}
    assert {layer for layer, size in pages.items() if size == 2 * pages[1]} == {0, 5}
