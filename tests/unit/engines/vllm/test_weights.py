"""Bytes after loading, held against what vLLM 0.25.1 allocated on an H100 and an H200 (dummy weights)."""

from collections.abc import Mapping
from typing import Any

import pytest

from servespec.engines.vllm.weights import weights_term
from servespec.engines.vllm.weights.allocator import CachingAllocator
from servespec.models.sources.catalogue import read
from tests.unit.engines.vllm.deployments import (
    GEMMA3_27B,
    LLAMA_8B,
    MIXTRAL,
    PHI_4,
    QWEN3_06B,
    deploy,
)

MIB = 2**20
GIB = 2**30
LLAMA_8B_BYTES = 16_110_920_192


@pytest.mark.parametrize(
    ("config", "measured"),
    [
        (LLAMA_8B, LLAMA_8B_BYTES),
        (QWEN3_06B, 1_203_968_512),
        (PHI_4, 29_407_177_216),
        (GEMMA3_27B, 54_249_899_520),
    ],
    ids=["llama-3.1-8b", "qwen3-0.6b", "phi-4", "gemma-3-27b"],
)
def test_plain_weights_are_exact_to_a_kilobyte(config: Mapping[str, Any], measured: int) -> None:
    assert weights_term(deploy(config=config), 0).size_bytes == pytest.approx(measured, abs=1024)


def test_lora_slots_are_counted_as_the_engine_reserves_them() -> None:
    """h200-vllm-0.25.1 llama31-8b-lora-r16-l1-eager: 92,843,008 bytes above the plain model."""
    adapters = {"adapters": {"max_loras": 1, "max_rank": 16}}
    with_slots = weights_term(deploy(model=adapters, limits={"max_batched_tokens": 8192}), 0)
    assert with_slots.size_bytes - LLAMA_8B_BYTES == pytest.approx(92_843_008, rel=0.002)


def test_compressed_int4_is_exact_to_sixty_four_kilobytes() -> None:
    quantized = {
        **LLAMA_8B,
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "ignore": ["lm_head"],
            "config_groups": {
                "group_0": {
                    "targets": ["Linear"],
                    "weights": {
                        "num_bits": 4,
                        "type": "int",
                        "symmetric": True,
                        "strategy": "group",
                        "group_size": 128,
                    },
                }
            },
        },
    }
    measured = 5_759_492_608
    assert weights_term(deploy(config=quantized), 0).size_bytes == pytest.approx(measured, abs=64 * 1024)


def test_online_fp8_halves_the_linear_layers_alone() -> None:
    """h100-vllm-0.25.1 llama31-8b-fp8-online-eager: 9,173,656,064 bytes."""
    found = weights_term(deploy(model={"quantization": "fp8"}), 0)
    assert found.size_bytes == pytest.approx(9_173_656_064, rel=0.002)


def test_fp8_on_an_a100_has_marlin_scales_of_each_channel() -> None:
    on_h100 = weights_term(deploy(model={"quantization": "fp8"}, gpu="H100-80GB", version="0.19.0"), 0)
    on_a100 = weights_term(deploy(model={"quantization": "fp8"}, gpu="A100-80GB", version="0.19.0"), 0)
    channels = 32 * (6144 + 4096 + 28672 + 4096) * 2
    linear = {part.name: part.size_bytes for part in on_a100.parts}["linear layers and norms"]
    plain = {part.name: part.size_bytes for part in on_h100.parts}["linear layers and norms"]
    assert linear - plain == pytest.approx(channels, rel=0.05)


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_tensor_parallel_ranks_hold_a_share(ranks: int) -> None:
    whole = weights_term(deploy(), 0).size_bytes
    share = weights_term(deploy(parallel={"tensor": ranks}), 0).size_bytes
    assert whole / ranks < share < whole / ranks * 1.1


def test_expert_parallel_ranks_hold_whole_experts() -> None:
    split = weights_term(deploy(config=MIXTRAL, parallel={"tensor": 8}), 0).size_bytes
    spread = weights_term(deploy(config=MIXTRAL, parallel={"tensor": 8, "expert": True}), 0).size_bytes
    assert spread == pytest.approx(split, rel=0.001)
    both = deploy(config=MIXTRAL, parallel={"tensor": 4, "data": 2, "expert": True})
    assert (
        weights_term(both, 0).size_bytes
        < weights_term(deploy(config=MIXTRAL, parallel={"tensor": 4}), 0).size_bytes
    )


def test_pipeline_stages_hold_their_layers_and_their_end_of_the_model() -> None:
    deployment = deploy(config={**LLAMA_8B, "num_hidden_layers": 31}, parallel={"pipeline": 2})
    first, last = (weights_term(deployment, stage) for stage in range(2))
    names = [{part.name for part in stage.parts} for stage in (first, last)]
    assert "embeddings" in names[0] - names[1]
    assert "output layer" in names[1] - names[0]
    assert first.size_bytes > last.size_bytes  # 16 layers against 15


def test_tied_embeddings_are_loaded_again_on_the_last_stage() -> None:
    deployment = deploy(config=QWEN3_06B, parallel={"pipeline": 2})
    for stage in range(2):
        assert "embeddings" in {part.name for part in weights_term(deployment, stage).parts}


def test_the_allocator_counts_a_block_that_is_not_split_whole() -> None:
    allocator = CachingAllocator()
    allocator.allocate(11 * MIB)
    assert allocator.allocated_bytes == 12 * MIB  # a segment of its own, rounded to 2 MiB


def test_the_allocator_gives_a_freed_block_again_and_joins_neighbours() -> None:
    allocator = CachingAllocator()
    first, second = allocator.allocate(4 * MIB), allocator.allocate(4 * MIB)
    allocator.release(first)
    allocator.release(second)
    assert allocator.allocated_bytes == 0
    allocator.allocate(18 * MIB)  # fits the one segment of 20 MiB only when all of it is one block again
    assert allocator.allocated_bytes == 18 * MIB


def test_the_allocator_never_splits_large_blocks_while_a_recent_model_loads() -> None:
    allocator = CachingAllocator(never_split_from=20 * MIB)
    allocator.release(allocator.allocate(64 * MIB))
    allocator.allocate(48 * MIB)
    assert allocator.allocated_bytes == 64 * MIB


@pytest.mark.parametrize(("runner", "offloaded"), [("0", 4 * 1024 * MIB), ("1", 0)])
def test_offloaded_weights_leave_the_gpu_where_the_runner_offloads(runner: str, offloaded: int) -> None:
    env = {"VLLM_USE_V2_MODEL_RUNNER": runner}
    plain = weights_term(deploy(env=env), 0).size_bytes
    found = weights_term(deploy(env=env, args={"cpu_offload_gb": 4}), 0).size_bytes
    assert plain - found == offloaded


def test_experts_are_split_over_data_parallel_replicas_too() -> None:
    def experts(**parallel: Any) -> int:
        term = weights_term(deploy(config=MIXTRAL, parallel=parallel), 0)
        return {part.name: part.size_bytes for part in term.parts}["experts"]

    assert experts(tensor=2, data=2) == experts(tensor=4)
    assert experts(tensor=2, data=2, expert=True) == experts(tensor=4)


@pytest.mark.parametrize(
    ("gpu", "version", "measured", "within"),
    [
        ("H100-80GB", "0.25.1", 13_976_352_768, 3 * MIB),  # h100-vllm-0.25.1 gpt-oss-20b-eager: Triton
        ("A100-80GB", "0.19.0", int(13.72 * 2**30), 6 * MIB),  # page-myoceane-1: Marlin
    ],
)
def test_mxfp4_experts_are_padded_as_their_kernel_wants(
    gpu: str, version: str, measured: int, within: int
) -> None:
    found = read("openai/gpt-oss-20b")
    assert found is not None
    size = weights_term(deploy(config=found.config, gpu=gpu, version=version), 0).size_bytes
    assert size == pytest.approx(measured, abs=within)


def test_a_vision_tower_brings_buffers_of_its_own() -> None:
    """vLLM 0.25.1: the tower of Qwen3-VL-8B takes 1.28 GiB, dropped with limits of 0."""
    found = read("Qwen/Qwen3-VL-8B-Instruct")
    assert found is not None
    none = {"limit_mm_per_prompt": {"image": 0, "video": 0}}
    limits = {"max_batched_tokens": 8192}
    with_tower = weights_term(deploy(config=found.config, limits=limits), 0).size_bytes
    without = weights_term(deploy(config=found.config, args=none, limits=limits), 0).size_bytes
    assert (with_tower - without) / 2**30 == pytest.approx(1.28, abs=0.02)


def latent_weights(model: str, version: str, **sections: Any) -> float:
    found = read(model)
    assert found is not None
    deployment = deploy(config=found.config, version=version, limits={"max_model_len": 8192}, **sections)
    return weights_term(deployment, 0).size_bytes / GIB


def test_0_7_keeps_absorbed_projections_beside_those_of_latent_attention() -> None:
    """DeepSeek-R1 on eight H200, vllm 0.7.3: "model weights take 83.88GiB"."""
    eight: dict[str, Any] = {"gpu": "H200-141GB", "parallel": {"tensor": 8}}
    assert latent_weights("deepseek-ai/DeepSeek-R1", "0.7.3", **eight) == pytest.approx(83.88, abs=0.02)


def test_a_quantized_latent_projection_is_kept_once_more_in_the_models_type() -> None:
    eight: dict[str, Any] = {"gpu": "H200-141GB", "parallel": {"tensor": 8}}
    copies = latent_weights("deepseek-ai/DeepSeek-R1", "0.8.5", **eight) - latent_weights(
        "deepseek-ai/DeepSeek-R1", "0.7.0", **eight
    )
    assert copies == pytest.approx(61 * 512 * 16 * 256 * 2 / GIB, rel=0.05)


def test_layers_in_host_memory_keep_their_absorbed_projections_there() -> None:
    """DeepSeek-Coder-V2-Lite on 0.7.2 with cpu_offload_gb 30: 0.80 GiB stay."""
    model = "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct"
    assert latent_weights(model, "0.7.2", args={"cpu_offload_gb": 30}) == pytest.approx(0.80, abs=0.1)
    assert latent_weights(model, "0.7.2") - latent_weights(model, "0.8.5") > 1.5
