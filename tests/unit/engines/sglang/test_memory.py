from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servespec.engines.sglang.memory import budget
from servespec.engines.sglang.weights import reserved_bytes
from servespec.errors import UnmodelledError
from servespec.memory.budget import ShortfallKind, Verdict
from tests.unit.engines.sglang.deployments import LLAMA_8B, deploy

MIB = 2**20
GIB = 2**30


def test_an_h200_holds_as_many_tokens_as_it_was_measured_to() -> None:
    """SGLang 0.5.17, Llama-3.1-8B, --disable-cuda-graph: 913,783 tokens, 16,127,098,880 bytes of weights."""
    found = budget(deploy(args={"disable_cuda_graph": True}, hardware={"memory_gib": 139.80072}))
    assert found.kv_tokens == pytest.approx(913_783, rel=0.001)
    assert found.weights.size_bytes == pytest.approx(16_127_098_880, rel=0.001)
    assert found.details["max_running_requests"] == pytest.approx(3569, abs=4)
    assert found.verdict is Verdict.fits


def test_the_terms_add_up_and_name_their_sources() -> None:
    found = budget(deploy())
    assert sum(term.size_bytes for term in found.terms) + found.kv_cache_bytes == found.budget_bytes
    for term in (*found.terms, *found.outside):
        assert term.formula
        assert term.source


def test_the_request_table_is_as_measured() -> None:
    """1,871,765,280 bytes for 3,569 requests of 131,072 tokens."""
    from servespec.engines.sglang.outside import request_table

    assert request_table(3569, 131072).size_bytes == 1_871_765_280


def test_segments_of_the_allocator_are_larger_than_the_tensors_in_them() -> None:
    assert reserved_bytes([(75 * MIB, 40)]) == 76 * MIB * 40
    assert reserved_bytes([(5 * MIB, 3)]) == 20 * MIB
    assert reserved_bytes([(1000, 100)]) == 2 * MIB


def test_a_context_beyond_the_pool_is_no_reason_to_refuse() -> None:
    found = budget(deploy(gpu="L4-24GB"))
    assert found.kv_tokens < 131072
    assert found.verdict is not Verdict.does_not_fit
    assert found.estimated_max_model_len == found.kv_tokens


def test_a_context_that_is_asked_for_and_does_not_fit_the_pool_is_told() -> None:
    found = budget(deploy(gpu="L4-24GB", limits={"max_model_len": 65536}))
    assert found.verdict is Verdict.tight
    assert [each.key for each in found.shortfalls] == ["limits.max_model_len"]
    assert "SGLang starts, and refuses requests of more than" in found.shortfalls[0].message


def test_weights_beyond_the_device_do_not_fit() -> None:
    config = {**LLAMA_8B, "num_hidden_layers": 80, "hidden_size": 8192, "intermediate_size": 28672}
    found = budget(deploy(config=config, gpu="H100-80GB"))
    assert found.verdict is Verdict.does_not_fit
    assert found.shortfalls[0].kind is ShortfallKind.weights_exceed_device


def test_a_static_fraction_below_the_weights_does_not_fit() -> None:
    found = budget(deploy(args={"mem_fraction_static": 0.1}))
    assert found.verdict is Verdict.does_not_fit
    assert found.shortfalls[0].kind is ShortfallKind.no_memory_for_kv
    assert found.shortfalls[0].key == "targets.sglang.args.mem_fraction_static"


def test_too_little_room_for_the_request_table_is_told() -> None:
    found = budget(deploy(args={"mem_fraction_static": 0.99, "disable_cuda_graph": True}))
    assert [each.kind for each in found.shortfalls] == [ShortfallKind.graphs_exceed_memory]


def test_a_cap_is_kept_to_the_token() -> None:
    found = budget(deploy(args={"max_total_tokens": 20480}))
    assert found.kv_tokens == 20480
    assert found.uncertainty_bytes == 0


def test_a_cpu_needs_to_be_told_its_memory_or_its_cache() -> None:
    with pytest.raises(UnmodelledError, match="memory_gib"):
        budget(deploy(gpu="cpu", version="0.5.23"))
    assert budget(deploy(gpu="cpu", version="0.5.23", kv_cache={"space_gib": 1})).kv_tokens == 8192
    assert budget(deploy(gpu="cpu", version="0.5.23", hardware={"memory_gib": 64})).kv_tokens > 0


@given(
    fraction=st.floats(0.3, 0.85),
    more=st.floats(0.0, 0.1),
    tensor=st.sampled_from([1, 2, 4, 8]),
    gpu=st.sampled_from(["A100-80GB", "H100-80GB", "L40S-48GB", "MI300X-192GB", "B200-180GB"]),
    version=st.sampled_from(["0.4.2", "0.4.9", "0.5.5", "0.5.12", "0.5.17", "0.5.23"]),
)
@settings(max_examples=60, deadline=None)
def test_more_memory_never_means_fewer_tokens(fraction, more, tensor, gpu, version) -> None:
    def tokens(share: float) -> int:
        return budget(
            deploy(gpu=gpu, version=version, parallel={"tensor": tensor}, args={"mem_fraction_static": share})
        ).kv_tokens

    assert tokens(fraction) <= tokens(fraction + more)


@given(tensor=st.sampled_from([1, 2, 4, 8, 16]), version=st.sampled_from(["0.4.6", "0.5.17"]))
@settings(max_examples=20, deadline=None)
def test_more_gpus_never_raise_the_weights_of_one(tensor, version) -> None:
    def weights(ranks: int) -> int:
        return budget(deploy(version=version, parallel={"tensor": ranks})).weights.size_bytes

    assert weights(2 * tensor) <= weights(tensor)


@given(dtype=st.sampled_from(["fp8_e4m3", "fp8_e5m2"]), gpu=st.sampled_from(["L4-24GB", "H100-80GB"]))
@settings(max_examples=10, deadline=None)
def test_half_the_bytes_hold_twice_the_tokens(dtype, gpu) -> None:
    full, half = budget(deploy(gpu=gpu)), budget(deploy(gpu=gpu, kv_cache={"dtype": dtype}))
    assert half.kv_bytes_per_token * 2 == full.kv_bytes_per_token
    assert half.kv_tokens >= 2 * full.kv_tokens


GPT_OSS = {
    **LLAMA_8B,
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "vocab_size": 201088,
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]},
}


def test_sliding_layers_have_a_pool_of_their_own_from_the_release_that_gives_them_one() -> None:
    """gpt-oss-20b on 0.5.17: 2,166,612 tokens of the window pool beside 2,708,265."""
    new, old = (budget(deploy(config=GPT_OSS, version=version)) for version in ("0.5.17", "0.5.5"))
    assert new.details["window_tokens"] == int(new.kv_tokens * 0.8)
    assert old.details["window_tokens"] == 0
    assert new.kv_bytes_per_token < old.kv_bytes_per_token


def test_without_prefix_caching_the_window_pool_is_sized_for_the_requests() -> None:
    found = budget(
        deploy(config=GPT_OSS, limits={"max_concurrent_requests": 16}, kv_cache={"prefix_caching": False})
    )
    # (128 + 128 + 1 + 1) × 16 requests + 2 chunks of 8,192 + 1
    assert found.details["window_tokens"] == 258 * 16 + 2 * 8192 + 1


def test_a_draft_takes_as_much_for_each_of_its_layers_as_the_target() -> None:
    speculative = {"method": "eagle3", "tokens": 3, "model": "org/draft"}
    head = deploy(config={**LLAMA_8B, "num_hidden_layers": 1}).model
    plain, drafting = budget(deploy()), budget(replace(deploy(speculative=speculative), draft=head))
    assert drafting.kv_bytes_per_token == plain.kv_bytes_per_token * 33 / 32


def test_a_draft_that_is_named_and_not_known_is_not_modelled() -> None:
    speculative = {"method": "eagle3", "tokens": 3, "model": "org/draft"}
    with pytest.raises(UnmodelledError, match="draft model"):
        budget(deploy(speculative=speculative))


@pytest.mark.parametrize("method", ["eagle", "draft"])
def test_speculation_without_a_draft_loads_the_target_twice(method: str) -> None:
    plain = budget(deploy(version="0.5.23"))
    twice = budget(deploy(version="0.5.23", speculative={"method": method, "tokens": 3}))
    assert twice.weights.size_bytes > 1.9 * plain.weights.size_bytes
    assert twice.kv_bytes_per_token == 2 * plain.kv_bytes_per_token


def test_lora_slots_are_taken_from_the_pool() -> None:
    adapters = {"max_loras": 4, "max_rank": 64, "modules": {"sql": "./sql"}}
    plain, adapted = budget(deploy()), budget(deploy(model={"adapters": adapters}))
    assert adapted.weights.size_bytes > plain.weights.size_bytes
    assert adapted.kv_tokens < plain.kv_tokens


@pytest.mark.parametrize("stages", [2, 3])
def test_the_pipeline_stage_with_the_fewest_tokens_decides(stages: int) -> None:
    whole, split = budget(deploy()), budget(deploy(parallel={"pipeline": stages}))
    assert split.kv_tokens > whole.kv_tokens
    assert split.kv_bytes_per_token >= whole.kv_bytes_per_token / stages


@pytest.mark.parametrize(
    ("version", "gpu", "fits"), [("0.5.9", "H100", False), ("0.5.17", "H100", True), ("0.5.9", "B200", True)]
)
def test_nvfp4_weights_need_blackwell_until_marlin_reads_them(version: str, gpu: str, fits: bool) -> None:
    quantized = {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "ignore": ["lm_head"]}
    found = budget(deploy(config={**LLAMA_8B, "quantization_config": quantized}, version=version, gpu=gpu))
    assert (found.verdict is not Verdict.does_not_fit) is fits


def test_scales_are_tensors_of_their_own_to_the_allocator() -> None:
    """Int8 weights of Llama-3.1-8B fill their segments exactly; the scales beside them share small ones."""
    scheme = {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}
    quantized = {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": scheme,
                "input_activations": {**scheme, "strategy": "token", "dynamic": True},
            }
        },
        "ignore": ["lm_head"],
    }
    found = budget(deploy(config={**LLAMA_8B, "quantization_config": quantized}))
    segments = next(part for part in found.weights.parts if part.name == "allocator segments")
    assert 0 <= segments.size_bytes < 4 * MIB


def test_tables_of_sines_are_float32_on_cuda_and_the_model_s_type_on_rocm() -> None:
    def table(gpu: str) -> int:
        parts = budget(deploy(gpu=gpu)).weights.parts
        return next(part.size_bytes for part in parts if part.name == "rotary tables")

    assert table("H100") == 131072 * 128 * 4
    assert table("MI300X") == 131072 * 128 * 2


@pytest.mark.parametrize(
    ("gpu", "version", "args", "slot_bytes"),
    [
        ("H200-141GB", "0.5.17", {}, 4),  # FlashAttention 3: one table of slots
        ("H200-141GB", "0.4.10", {}, 8),  # and one for drafts
        ("H200-141GB", "0.5.17", {"page_size": 64}, 4 / 64),
        ("A100-80GB", "0.5.17", {}, 5),  # FlashInfer: slots and a mask
        ("A100-80GB", "0.5.17", {"attention_backend": "triton"}, 9),
    ],
)
def test_graphs_keep_tables_of_a_whole_context_for_each_request(gpu, version, args, slot_bytes) -> None:
    deployment = deploy(gpu=gpu, version=version, args={"context_length": 64000, **args})
    table = next(term for term in budget(deployment).outside if term.name == "attention tables")
    assert table.size_bytes == deployment.settings.integer("cuda_graph_max_bs") * 64000 * slot_bytes


def test_without_graphs_there_are_no_attention_tables() -> None:
    found = budget(deploy(args={"disable_cuda_graph": True}))
    assert not next(term for term in found.outside if term.name == "attention tables").size_bytes


GPTQ = {**LLAMA_8B, "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}
INT8 = {
    **LLAMA_8B,
    "quantization_config": {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True},
                "input_activations": {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True},
            }
        },
        "ignore": ["lm_head"],
    },
}


@pytest.mark.parametrize(
    ("config", "gpu", "version", "refused"),
    [
        (INT8, "T4-16GB", "0.5.23", "compute capability 8.0"),
        (INT8, "A10-24GB", "0.5.23", None),
        (GPTQ, "T4-16GB", "0.5.23", "compute capability 8.0"),
        (GPTQ, "T4-16GB", "0.5.5", None),
        (GPTQ, "MI300X-192GB", "0.5.23", "not supported in ROCm"),
        (GPTQ, "MI300X-192GB", "0.5.9", None),
        (INT8, "MI300X-192GB", "0.5.23", None),
        (LLAMA_8B, "V100-32GB", "0.5.23", "sm75"),
    ],
)
def test_weights_that_the_gpu_or_its_platform_cannot_take_do_not_fit(
    config: dict[str, object], gpu: str, version: str, refused: str | None
) -> None:
    limits = {"max_model_len": 2048, "max_concurrent_requests": 4}
    found = budget(deploy(config=config, gpu=gpu, version=version, limits=limits))
    refusals = [each.message for each in found.shortfalls if each.kind is ShortfallKind.engine_refuses]
    assert (found.verdict is Verdict.does_not_fit) is (refused is not None), found.shortfalls
    assert any(refused in message for message in refusals) if refused else not refusals


def test_the_uncertainty_is_never_negative_however_little_is_left_for_the_pool() -> None:
    found = budget(deploy(gpu="L4-24GB", version="0.5.23", limits={"max_batched_tokens": 131072}))
    assert found.verdict is Verdict.does_not_fit
    assert found.uncertainty_bytes >= 0
