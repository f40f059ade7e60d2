import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servespec.engines.tgi.memory import budget
from servespec.engines.tgi.warmup import warmup_batch
from servespec.errors import UnmodelledError
from servespec.memory.budget import ShortfallKind, Verdict
from tests.unit.engines.tgi.deployments import LLAMA_8B, LLAMA_70B, deploy


def test_two_a100_hold_as_many_tokens_as_a_published_log_says() -> None:
    """TGI 2.4.0, Llama-3.1-70B, 10,049 prefill tokens: 'Setting max batch total tokens to 30816'."""
    found = budget(
        deploy(
            config=LLAMA_70B,
            version="2.4.0",
            parallel={"tensor": 2},
            args={"max_batch_prefill_tokens": 10049},
            hardware={"count": 2},
        )
    )
    assert found.kv_tokens == pytest.approx(30816, rel=0.05)


def test_the_terms_add_up_and_name_their_sources() -> None:
    found = budget(deploy())
    assert sum(term.size_bytes for term in found.terms) + found.kv_cache_bytes == found.budget_bytes
    assert all(term.formula and term.source for term in found.terms)


def test_the_warm_up_is_full_prompts_and_a_rest() -> None:
    batch = warmup_batch(deploy(version="1.1.0"))
    assert (batch.requests, batch.prefill_tokens) == (4, 4096)
    assert batch.tokens == 4 * 2048


def test_the_warm_up_of_3_is_one_prompt_of_all_prefill_tokens() -> None:
    batch = warmup_batch(deploy(args={"max_batch_prefill_tokens": 5000}))
    assert (batch.requests, batch.prefill_tokens, batch.tokens) == (1, 5000, 5000)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"max_input_tokens": 4096, "max_total_tokens": 4096}, "not below max_total_tokens"),
        ({"max_total_tokens": 8192, "max_batch_total_tokens": 4096}, "above max_batch_total_tokens"),
    ],
)
def test_what_the_launcher_refuses_does_not_fit(args, message) -> None:
    found = budget(deploy(args=args))
    assert found.verdict is Verdict.does_not_fit
    assert message in found.shortfalls[0].message


def test_a_prefill_below_the_prompt_is_refused_by_old_launchers_alone() -> None:
    args = {"max_input_tokens": 4000, "max_total_tokens": 4096, "max_batch_prefill_tokens": 1000}
    assert budget(deploy(version="2.0.4", args=args)).verdict is Verdict.does_not_fit
    assert budget(deploy(version="3.3.7", args=args)).verdict is not Verdict.does_not_fit


def test_a_warm_up_that_is_too_large_names_the_key_to_lower() -> None:
    found = budget(deploy(gpu="L4-24GB", version="2.4.0", limits={"max_batched_tokens": 60000}))
    assert found.verdict is Verdict.does_not_fit
    assert found.shortfalls[0].kind is ShortfallKind.warmup_exceeds_memory
    assert found.shortfalls[0].key == "limits.max_batched_tokens"


def test_weights_beyond_the_device_do_not_fit() -> None:
    found = budget(deploy(config=LLAMA_70B))
    assert found.verdict is Verdict.does_not_fit
    assert found.shortfalls[0].kind is ShortfallKind.weights_exceed_device


def test_a_tied_output_layer_is_loaded_twice() -> None:
    tied, untied = (deploy(config={**LLAMA_8B, "tie_word_embeddings": tie}) for tie in (True, False))
    assert budget(tied).weights.size_bytes == budget(untied).weights.size_bytes


def test_heads_that_do_not_divide_are_refused() -> None:
    found = budget(deploy(parallel={"tensor": 3}))
    assert "cannot be divided" in found.shortfalls[0].message


def test_a_cpu_is_not_modelled() -> None:
    with pytest.raises(UnmodelledError, match="free memory of the host"):
        budget(deploy(gpu="cpu"))


@given(
    share=st.floats(0.5, 0.9),
    more=st.floats(0.0, 0.1),
    tensor=st.sampled_from([1, 2, 4]),
    version=st.sampled_from(["1.4.0", "2.0.4", "2.4.0", "3.0.0", "3.3.7"]),
)
@settings(max_examples=40, deadline=None)
def test_a_larger_share_never_means_fewer_tokens(share, more, tensor, version) -> None:
    def tokens(fraction: float) -> int:
        return budget(
            deploy(version=version, parallel={"tensor": tensor}, limits={"gpu_memory_fraction": fraction})
        ).kv_tokens

    assert tokens(share) <= tokens(share + more)


@given(prefill=st.integers(1, 30000), more=st.integers(0, 30000))
@settings(max_examples=30, deadline=None)
def test_a_larger_prefill_never_needs_less_activation(prefill, more) -> None:
    def activation(tokens: int) -> int:
        return budget(deploy(args={"max_batch_prefill_tokens": tokens})).activation.size_bytes

    assert activation(prefill) <= activation(prefill + more)


def test_a_quantization_that_the_version_does_not_have_is_refused() -> None:
    quantized = {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "ignore": ["lm_head"]}
    found = budget(deploy(config={**LLAMA_8B, "quantization_config": quantized}))
    assert found.verdict is Verdict.does_not_fit
    assert "no quantization modelopt" in found.shortfalls[0].message


@pytest.mark.parametrize(("gpu", "refused"), [("T4-16GB", True), ("A10-24GB", False), ("L4-24GB", False)])
def test_fp8_weights_before_ampere_are_refused(gpu: str, refused: bool) -> None:
    limits = {"max_model_len": 1024}
    found = budget(
        deploy(
            version="3.3.7", gpu=gpu, model={"quantization": "fp8"}, limits=limits, args={"quantize": "fp8"}
        )
    )
    assert any("FP8 weights need" in each.message for each in found.shortfalls) is refused
    assert (found.verdict is Verdict.does_not_fit) is refused


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.2])
def test_a_share_of_the_device_that_the_weights_or_the_warm_up_exceed_does_not_fit(fraction: float) -> None:
    """TGI gives the share to torch's allocator (set_per_process_memory_fraction) before it loads anything."""
    limits = {"max_model_len": 4096, "gpu_memory_fraction": fraction, "max_batched_tokens": 8192}
    found = budget(deploy(limits=limits))
    assert found.weights.size_bytes + found.activation.size_bytes > fraction * found.device_bytes
    assert found.verdict is Verdict.does_not_fit


def test_weights_above_the_device_leave_no_token() -> None:
    found = budget(deploy(config=LLAMA_70B))
    assert found.verdict is Verdict.does_not_fit
    assert (found.kv_tokens, found.kv_cache_bytes, found.estimated_max_model_len) == (0, 0, None)
