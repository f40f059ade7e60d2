import pytest
from lowering_cases import LLAMA, lower, parsed, unsaid


def values(version: str | None = None, **sections: object) -> dict[str, object]:
    return dict(parsed(lower("tgi", version, **sections)).values)


def test_keys_become_the_flags_of_the_launcher() -> None:
    found = values(
        "3.3.7",
        model={"id": LLAMA, "revision": "abc", "quantization": "eetq"},
        limits={
            "max_model_len": 4096,
            "max_input_tokens": 3072,
            "max_concurrent_requests": 64,
            "max_batched_tokens": 8192,
            "gpu_memory_fraction": 0.8,
        },
        parallel={"tensor": 2},
        kv_cache={"dtype": "fp8"},
    )
    assert found.items() >= {
        ("model_id", LLAMA),
        ("num_shard", 2),
        ("quantize", "eetq"),
        ("max_total_tokens", 4096),
        ("max_input_tokens", 3072),
        ("max_batch_prefill_tokens", 8192),
        ("cuda_memory_fraction", 0.8),
        ("kv_cache_dtype", "fp8_e4m3fn"),
    }


def test_the_number_of_shards_is_always_said() -> None:
    assert values()["num_shard"] == 1


def test_the_same_is_said_by_environment_variables() -> None:
    launch = lower("tgi", limits={"max_model_len": 4096}, model={"id": LLAMA, "trust_remote_code": True})
    assert launch.flags_environment.items() >= {
        ("MODEL_ID", LLAMA),
        ("NUM_SHARD", "1"),
        ("MAX_TOTAL_TOKENS", "4096"),
        ("TRUST_REMOTE_CODE", "true"),
        ("PORT", "8000"),
    }


@pytest.mark.parametrize(("version", "name"), [("2.4.1", "max_input_tokens"), ("1.4.5", "max_input_length")])
def test_older_launchers_are_told_the_longest_prompt_too(version: str, name: str) -> None:
    assert values(version, limits={"max_model_len": 4096})[name] == 4095


def test_newer_launchers_work_it_out() -> None:
    assert "max_input_tokens" not in values("3.3.7", limits={"max_model_len": 4096})


def test_prefix_caching_is_a_variable_that_changed_its_name() -> None:
    caching = {"kv_cache": {"prefix_caching": False}}
    assert lower("tgi", "3.3.7", **caching).environment == {"PREFIX_CACHING": "false"}
    assert lower("tgi", "2.3.1", **caching).environment == {"USE_PREFIX_CACHING": "false"}
    assert "kv_cache.prefix_caching" in unsaid("tgi", "2.0.0", **caching)


@pytest.mark.parametrize(
    ("key", "sections"),
    [
        ("parallel.pipeline", {"parallel": {"pipeline": 2}}),
        ("parallel.data", {"parallel": {"data": 2}}),
        ("parallel.expert", {"parallel": {"expert": True}}),
        ("hardware.nodes", {"hardware": {"gpu": "H100-80GB", "nodes": 2}}),
        ("model.dtype", {"model": {"id": LLAMA, "dtype": "float32"}}),
        ("model.quantization", {"model": {"id": LLAMA, "quantization": "nvfp4"}}),
        ("kv_cache.block_size", {"kv_cache": {"block_size": 16}}),
        ("speculative", {"speculative": {"method": "mtp", "tokens": 2}}),
        ("server.served_model_name", {"server": {"served_model_name": "x"}}),
    ],
)
def test_what_tgi_cannot_express_is_said(key: str, sections: dict[str, object]) -> None:
    assert key in unsaid("tgi", "3.3.7", **sections)


def test_stopping_takes_as_long_as_the_launcher_waits() -> None:
    assert lower("tgi").stop_seconds == 120
    assert lower("tgi", args={"graceful_termination_timeout": 600}).stop_seconds == 630


def test_there_is_no_python_class_and_no_configuration_file() -> None:
    launch = lower("tgi")
    assert launch.offline is None
    assert launch.config is None
