"""Whatever the flags say, a budget is made or said not to be modelled."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from servespec.engines.tgi.memory import budget
from servespec.errors import UnmodelledError
from tests.unit.engines.tgi.deployments import deploy

VALUES = st.one_of(
    st.integers(-3, 10**9),
    st.floats(-2, 2, allow_nan=False),
    st.booleans(),
    st.sampled_from(["", "auto", "0", "gptq", "nonsense", "8k", "-1"]),
    st.none(),
)
FLAGS = st.sampled_from(
    [
        "num_shard",
        "quantize",
        "dtype",
        "kv_cache_dtype",
        "max_input_tokens",
        "max_total_tokens",
        "max_batch_prefill_tokens",
        "max_batch_total_tokens",
        "max_batch_size",
        "cuda_memory_fraction",
        "cuda_graphs",
        "lora_adapters",
        "nonsense",
    ]
)
VARIABLES = st.sampled_from(
    ["ATTENTION", "TGI_WIGGLE_ROOM", "PREFIX_CACHING", "NUM_SHARD", "MAX_TOTAL_TOKENS", "FLASH_DECODING"]
)


@given(
    args=st.dictionaries(FLAGS, VALUES, max_size=4),
    env=st.dictionaries(VARIABLES, VALUES.filter(lambda value: value is not None), max_size=2),
    version=st.sampled_from(["1.0.0", "1.4.5", "2.0.4", "2.4.1", "3.0.0", "3.3.7"]),
    gpu=st.sampled_from(["T4-16GB", "H100-80GB", "MI300X-192GB"]),
)
@settings(max_examples=200, deadline=None)
def test_any_flags_end_in_a_budget_or_in_what_is_not_modelled(args, env, version, gpu) -> None:
    with contextlib.suppress(UnmodelledError):
        found = budget(deploy(args=args, env=env, version=version, gpu=gpu))
        assert found.kv_tokens >= 0
        assert found.kv_cache_bytes >= 0
