"""The whole budget: identity, verdicts, versions, and what must never happen."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servespec.engines.vllm.activation import activation_term
from servespec.engines.vllm.memory import budget
from servespec.errors import UnmodelledError
from servespec.memory.budget import MemoryBudget, ShortfallKind, Term, Verdict
from servespec.models.sources import catalogue
from tests.unit.engines.vllm.deployments import GEMMA3_27B, LLAMA_8B, MIXTRAL, QWEN3_06B, deploy

GIB = 2**30
EAGER = {"enforce_eager": True}
OURS = {"memory_gib": 79.178711}
fast = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def measured_like(**limits: float) -> MemoryBudget:
    """The rows h100-vllm-0.25.1 llama31-8b-*: offline, 1,024 sequences, eager."""
    return budget(
        deploy(
            args=EAGER,
            hardware=OURS,
            limits={
                "max_model_len": 8192,
                "max_concurrent_requests": 1024,
                "gpu_memory_fraction": 0.9,
                **limits,
            },
        )
    )


@pytest.mark.parametrize(
    ("limits", "tokens"),
    [
        ({"max_batched_tokens": 16384}, 444_928),
        ({"max_batched_tokens": 2048}, 452_528),
        ({"max_batched_tokens": 16384, "gpu_memory_fraction": 0.95}, 477_360),
        ({"max_batched_tokens": 16384, "max_concurrent_requests": 64}, 444_928),
    ],
)
def test_tokens_are_those_that_an_h100_printed(limits: dict[str, float], tokens: int) -> None:
    assert measured_like(**limits).kv_tokens == pytest.approx(tokens, rel=0.0005)


def test_gemma_3_has_seven_groups_of_ten_layers() -> None:
    """h100-vllm-0.25.1 gemma3-27b-text-eager: 14,493 blocks, 33,071 tokens."""
    found = budget(
        deploy(
            config=GEMMA3_27B,
            args=EAGER,
            hardware=OURS,
            limits={
                "max_model_len": 8192,
                "max_concurrent_requests": 1024,
                "max_batched_tokens": 16384,
                "gpu_memory_fraction": 0.9,
            },
        )
    )
    assert found.details["kv_groups"] == 7
    assert found.num_blocks == pytest.approx(14_493, abs=15)
    assert found.kv_tokens == pytest.approx(33_071, rel=0.001)


def test_before_0_20_1_tokens_are_blocks_over_groups() -> None:
    found = budget(deploy(config=GEMMA3_27B, version="0.19.0", limits={"max_model_len": 8192}))
    assert found.kv_tokens == found.num_blocks // 7 * 16


@pytest.mark.parametrize("version", ["0.6.6", "0.8.5", "0.11.0", "0.19.0", "0.25.1", "0.32.0"])
def test_the_terms_add_up_to_the_budget(version: str) -> None:
    found = budget(deploy(version=version, limits={"max_model_len": 8192}))
    assert sum(term.size_bytes for term in found.terms) + found.kv_cache_bytes == found.budget_bytes


def test_weights_beyond_the_device_do_not_fit() -> None:
    large = {**LLAMA_8B, "num_hidden_layers": 300}
    found = budget(deploy(config=large, gpu="H100-80GB", limits={"max_model_len": 8192}))
    assert found.verdict is Verdict.does_not_fit
    kinds = [shortfall.kind for shortfall in found.shortfalls]
    assert ShortfallKind.weights_exceed_device in kinds
    assert ShortfallKind.no_memory_for_kv in kinds


def test_a_context_that_does_not_fit_says_what_would() -> None:
    found = budget(deploy(gpu="L4-24GB", limits={"max_model_len": 131072}))
    assert found.verdict is Verdict.does_not_fit
    (shortfall,) = found.shortfalls
    assert shortfall.kind is ShortfallKind.context_exceeds_kv
    assert shortfall.key == "limits.max_model_len"
    assert "of KV cache for one request of 131,072 tokens" in shortfall.message
    assert f"max_model_len ≤ {found.estimated_max_model_len:,}" in shortfall.fix
    shorter = budget(deploy(gpu="L4-24GB", limits={"max_model_len": found.estimated_max_model_len}))
    assert shorter.verdict in (Verdict.fits, Verdict.tight)


def test_an_automatic_context_is_never_too_long() -> None:
    found = budget(deploy(gpu="L4-24GB", args={"max_model_len": "auto"}))
    assert found.verdict is not Verdict.does_not_fit


def test_memory_that_others_hold_is_missed_at_start() -> None:
    found = budget(deploy(hardware={"reserved_gib": 20}, limits={"max_model_len": 8192}))
    assert found.verdict is Verdict.does_not_fit
    assert found.shortfalls[0].kind is ShortfallKind.free_memory_below_budget


def test_a_fixed_kv_space_is_taken_as_it_is() -> None:
    found = budget(deploy(kv_cache={"space_gib": 4}, limits={"max_model_len": 8192}))
    assert found.kv_cache_bytes == 4 * GIB
    assert found.num_blocks == 4 * GIB // (32 * 65536)


def test_a_cpu_without_a_kv_space_is_unknown_and_says_what_to_give() -> None:
    with pytest.raises(UnmodelledError, match=r"kv_cache\.space_gib"):
        budget(deploy(gpu="cpu", version="0.32.0"))


def test_an_unknown_cache_type_is_named() -> None:
    with pytest.raises(UnmodelledError, match="KV cache type"):
        budget(deploy(kv_cache={"dtype": "nosuch"}))


@fast
@given(length=st.integers(1024, 130_000), more=st.integers(1, 4096))
def test_a_longer_context_never_needs_less(length: int, more: int) -> None:
    short = budget(deploy(limits={"max_model_len": length}))
    long = budget(deploy(limits={"max_model_len": length + more}))
    assert long.details["blocks_per_request"] >= short.details["blocks_per_request"]
    assert long.max_concurrency <= short.max_concurrency


@fast
@given(
    tokens=st.sampled_from([256, 512, 2048, 8192, 16384, 32768]),
    sequences=st.sampled_from([8, 64, 256, 1024]),
)
def test_a_larger_batch_never_needs_less(tokens: int, sequences: int) -> None:
    def kv(batched: int, concurrent: int) -> int:
        limits = {"max_model_len": 8192, "max_batched_tokens": batched, "max_concurrent_requests": concurrent}
        return budget(deploy(config=GEMMA3_27B, limits=limits, args=EAGER)).kv_cache_bytes

    assert kv(2 * tokens, sequences) <= kv(tokens, sequences)
    assert kv(tokens, 2 * sequences) <= kv(tokens, sequences)


@pytest.mark.parametrize(
    "config", [LLAMA_8B, QWEN3_06B, GEMMA3_27B, MIXTRAL], ids=["llama", "qwen", "gemma", "mixtral"]
)
@pytest.mark.parametrize("version", ["0.11.0", "0.25.1", "0.32.0"])
def test_more_ranks_never_hold_more_weights_each(config: dict[str, object], version: str) -> None:
    sizes = [
        budget(
            deploy(config=config, version=version, parallel={"tensor": ranks}, limits={"max_model_len": 2048})
        )
        for ranks in (1, 2, 4, 8)
    ]
    weights = [found.weights.size_bytes for found in sizes]
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize("config", [LLAMA_8B, GEMMA3_27B], ids=["llama", "gemma"])
def test_a_wider_cache_type_never_holds_more_tokens(config: dict[str, object]) -> None:
    tokens = [
        budget(deploy(config=config, kv_cache={"dtype": dtype}, limits={"max_model_len": 4096})).kv_tokens
        for dtype in ("fp8", "auto", "float32")
    ]
    assert tokens == sorted(tokens, reverse=True)


def test_kv_heads_fewer_than_ranks_are_replicated() -> None:
    per_token = [
        budget(deploy(parallel={"tensor": ranks}, limits={"max_model_len": 8192})).kv_bytes_per_token
        for ranks in (1, 2, 8)
    ]
    assert per_token == [131072, 65536, 16384]
    wide = budget(deploy(config={**LLAMA_8B, "num_key_value_heads": 2}, parallel={"tensor": 8}))
    assert wide.kv_bytes_per_token == 32 * 2 * 128 * 2  # one head on each rank


def test_the_stage_with_the_least_cache_decides() -> None:
    found = budget(deploy(config={**LLAMA_8B, "num_hidden_layers": 33}, parallel={"pipeline": 2}))
    whole = budget(deploy(config={**LLAMA_8B, "num_hidden_layers": 33}))
    assert found.kv_bytes_per_token == pytest.approx(whole.kv_bytes_per_token * 17 / 33)


def test_online_fp8_of_older_versions_needs_room_for_the_whole_model_first() -> None:
    """0.11: weights are loaded in their own type and quantized afterwards; 0.19 quantizes as they arrive."""
    large = {**LLAMA_8B, "num_hidden_layers": 50}
    kinds = [
        [
            s.kind
            for s in budget(
                deploy(
                    config=large,
                    version=version,
                    gpu="L4-24GB",
                    model={"quantization": "fp8"},
                    limits={"max_model_len": 1024},
                )
            ).shortfalls
        ]
        for version in ("0.11.0", "0.19.0")
    ]
    assert ShortfallKind.weights_exceed_device in kinds[0]
    assert ShortfallKind.weights_exceed_device not in kinds[1]


def test_a_long_rope_model_starts_at_its_original_length() -> None:
    long_rope = {
        **LLAMA_8B,
        "max_position_embeddings": 131072,
        "original_max_position_embeddings": 4096,
        "rope_scaling": {"rope_type": "longrope", "long_factor": [1.0] * 64, "short_factor": [1.0] * 64},
    }
    assert deploy(config=long_rope, version="0.25.1").settings.value("max_model_len") == 4096
    assert deploy(config=long_rope, version="0.11.0").settings.value("max_model_len") == 131072


def test_an_automatic_context_becomes_the_longest_that_fits() -> None:
    found = budget(deploy(gpu="L4-24GB", version="0.25.1", args={"max_model_len": "auto"}))
    assert found.estimated_max_model_len is not None
    assert found.estimated_max_model_len < 131072
    assert found.max_concurrency == pytest.approx(1.0, abs=0.02)


def test_a_fixed_kv_space_larger_than_the_device_does_not_fit() -> None:
    found = budget(deploy(gpu="L4-24GB", kv_cache={"space_gib": 20}, limits={"max_model_len": 8192}))
    assert found.verdict is Verdict.does_not_fit
    assert ShortfallKind.warmup_exceeds_memory in [shortfall.kind for shortfall in found.shortfalls]


@pytest.mark.parametrize(
    ("version", "model", "gpu", "limits", "gib"),
    [
        ("0.7.2", "Qwen/Qwen2.5-1.5B-Instruct", "T4-16GB", {"max_model_len": 32768}, 2.02),
        ("0.8.5", "Qwen/Qwen2.5-7B-Instruct", "V100-32GB", {"max_model_len": 32768}, 4.35),
        ("0.7.1", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "V100-32GB", {"max_model_len": 2048}, 1.40),
    ],
)
def test_v0_runs_its_layers_eagerly_and_keeps_the_small_workspace_before_hopper(
    version: str, model: str, gpu: str, limits: dict[str, int], gib: float
) -> None:
    """The activation peaks of three logs in benchmarks/accuracy/data/published.jsonl, printed to 0.01 GiB."""
    known = catalogue.read(model)
    assert known is not None
    found = budget(
        deploy(config=known.config, version=version, gpu=gpu, model={"dtype": "float16"}, limits=limits)
    )
    assert found.activation.size_bytes / GIB == pytest.approx(gib, abs=0.0075)


def test_qwen_towers_are_profiled_with_the_largest_image_that_their_processor_lets_through() -> None:
    """Qwen3.5-4B on an L4 with 0.29.0 (benchmarks/accuracy/data/published.jsonl): 2.17 GiB, graphs included."""
    known = catalogue.read("Qwen/Qwen3.5-4B")
    assert known is not None
    where = {
        "config": known.config,
        "version": "0.29.0",
        "gpu": "L4-24GB",
        "limits": {"max_model_len": 32768},
    }
    assert budget(deploy(**where)).activation.size_bytes / GIB == pytest.approx(2.17, abs=0.1)
    text = deploy(**where, args={"limit_mm_per_prompt": {"image": 0, "video": 0}})
    assert budget(text).activation.size_bytes / GIB < 1


@pytest.mark.parametrize(("version", "gib"), [("0.11.0", 9.1), ("0.16.0", 0.0)])
def test_qwen3_vl_was_profiled_with_a_whole_video_until_0_14(version: str, gib: float) -> None:
    """vllm issue 27992: "a budget of 153600 tokens", about 10 GB for Qwen3-VL-8B on 0.11.0."""
    known = catalogue.read("Qwen/Qwen3-VL-8B-Instruct")
    assert known is not None
    where = {"config": known.config, "version": version, "limits": {"max_model_len": 32768}}
    images = deploy(**where, args={"limit_mm_per_prompt": {"video": 0}})
    more = budget(deploy(**where)).activation.size_bytes - budget(images).activation.size_bytes
    assert more / GIB == pytest.approx(gib, abs=0.5)


def test_fused_experts_take_their_tokens_in_chunks_until_0_18() -> None:
    """vllm/envs.py VLLM_FUSED_MOE_CHUNK_SIZE: 32,768 in 0.11.2, 16,384 in 0.12.0 to 0.17.0, gone in 0.18.0."""

    def workspace(version: str) -> int:
        deployment = deploy(
            config=MIXTRAL, version=version, parallel={"tensor": 8}, limits={"max_batched_tokens": 65536}
        )
        return next(part.size_bytes for part in activation_term(deployment).parts if "expert" in part.name)

    assert workspace("0.17.0") < workspace("0.11.2") < workspace("0.18.0")


def test_ranks_on_nvlink_hopper_leave_less_than_two_that_were_measured() -> None:
    """7.16 GiB at tp 8 on 0.7.3 (pub-r1-h200-tp8); more than tp 2's 0.54 GiB at tp 4 on 0.9.2."""

    def non_torch(version: str, ranks: int) -> Term:
        return budget(deploy(config=LLAMA_8B, version=version, parallel={"tensor": ranks})).non_torch

    old = non_torch("0.7.3", 8)
    assert old.size_bytes + old.uncertainty_bytes >= 7.16 * GIB
    assert non_torch("0.9.2", 4).size_bytes > non_torch("0.9.2", 2).size_bytes
