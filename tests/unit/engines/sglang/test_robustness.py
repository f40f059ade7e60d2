"""Whatever the flags say, a budget is made or said not to be modelled."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from servespec.engines.sglang.memory import budget
from servespec.errors import UnmodelledError
from tests.unit.engines.sglang.deployments import deploy

VALUES = st.one_of(
    st.integers(-3, 10**9),
    st.floats(-2, 2, allow_nan=False),
    st.booleans(),
    st.sampled_from(["", "auto", "0", "fp8_e4m3", "nonsense", "8k", "-1"]),
    st.none(),
)
FLAGS = st.sampled_from(
    [
        "tp_size",
        "pp_size",
        "dp_size",
        "ep_size",
        "enable_dp_attention",
        "page_size",
        "context_length",
        "mem_fraction_static",
        "chunked_prefill_size",
        "max_prefill_tokens",
        "max_running_requests",
        "max_total_tokens",
        "cuda_graph_max_bs",
        "kv_cache_dtype",
        "dtype",
        "disable_cuda_graph",
        "swa_full_tokens_ratio",
        "mamba_full_memory_ratio",
        "max_mamba_cache_size",
        "speculative_algorithm",
        "speculative_num_draft_tokens",
        "attention_backend",
        "disable_radix_cache",
        "max_lora_rank",
        "enable_lora",
        "nonsense",
    ]
)


@given(
    args=st.dictionaries(FLAGS, VALUES, max_size=4),
    version=st.sampled_from(["0.4.0", "0.4.8", "0.5.3", "0.5.14", "0.5.23"]),
    gpu=st.sampled_from(["T4-16GB", "H100-80GB", "MI300X-192GB", "DGX-Spark-128GB", "cpu"]),
)
@settings(max_examples=200, deadline=None)
def test_any_flags_end_in_a_budget_or_in_what_is_not_modelled(args, version, gpu) -> None:
    with contextlib.suppress(UnmodelledError):
        found = budget(deploy(args=args, version=version, gpu=gpu))
        assert found.kv_tokens >= 0
        assert found.kv_cache_bytes >= 0
