import pytest
from lowering_cases import LLAMA, lower, parsed, unsaid


def values(version: str | None = None, **sections: object) -> dict[str, object]:
    return dict(parsed(lower("vllm", version, **sections)).values)


def test_the_model_is_the_first_word_after_serve() -> None:
    launch = lower("vllm")
    assert launch.argv[:3] == ("vllm", "serve", LLAMA)


def test_a_folder_keeps_its_name_in_a_container() -> None:
    launch = lower("vllm", model={"id": "./weights", "config": "examples/tiny-llama/config.json"})
    assert launch.flags[0] == "./weights"
    assert launch.container_flags[0] == "/models/weights"
    assert launch.mounts == (("./weights", "/models/weights"),)
    assert launch.served_model_name == "./weights"
    assert "./weights" in launch.container_flags


def test_keys_become_the_flags_of_vllm() -> None:
    found = values(
        "0.25.1",
        model={"id": LLAMA, "revision": "abc", "dtype": "bfloat16", "trust_remote_code": True},
        limits={
            "max_model_len": 4096,
            "max_concurrent_requests": 64,
            "max_batched_tokens": 8192,
            "gpu_memory_fraction": 0.8,
        },
        parallel={"tensor": 2, "pipeline": 2, "data": 2, "expert": True},
        kv_cache={"dtype": "fp8", "prefix_caching": False, "block_size": 32},
    )
    assert found.items() >= {
        ("revision", "abc"),
        ("dtype", "bfloat16"),
        ("trust_remote_code", True),
        ("max_model_len", 4096),
        ("max_num_seqs", 64),
        ("max_num_batched_tokens", 8192),
        ("gpu_memory_utilization", 0.8),
        ("tensor_parallel_size", 2),
        ("pipeline_parallel_size", 2),
        ("data_parallel_size", 2),
        ("enable_expert_parallel", True),
        ("kv_cache_dtype", "fp8"),
        ("enable_prefix_caching", False),
        ("block_size", 32),
    }


def test_adapters_are_named_with_their_folder() -> None:
    adapters = {"max_loras": 2, "max_rank": 32, "modules": {"sql": "org/sql", "own": "./own"}}
    launch = lower("vllm", model={"id": LLAMA, "adapters": adapters})
    found = parsed(launch).values
    assert (found["enable_lora"], found["max_loras"], found["max_lora_rank"]) == (True, 2, 32)
    assert found["lora_modules"] == ["sql=org/sql", "own=./own"]
    assert "own=/models/own" in launch.container_flags
    assert launch.mounts == (("./own", "/models/own"),)


def test_offloaded_space_is_counted_over_all_tensor_parallel_ranks() -> None:
    found = values("0.32.0", parallel={"tensor": 4}, kv_cache={"cpu_offload_gib": 2})
    assert found["kv_offloading_size"] == 8
    assert "kv_offloading_backend" not in found


def test_the_backend_of_offloading_is_named_where_the_version_has_none_by_itself() -> None:
    assert values("0.12.0", kv_cache={"cpu_offload_gib": 2})["kv_offloading_backend"] == "native"


def test_swap_space_is_used_where_the_engine_swaps_and_not_where_it_only_takes_the_flag() -> None:
    assert values("0.7.3", kv_cache={"cpu_offload_gib": 2})["swap_space"] == 2
    assert (
        "0.11.1 and later"
        in unsaid("vllm", "0.9.2", kv_cache={"cpu_offload_gib": 2})["kv_cache.cpu_offload_gib"]
    )


def test_a_fixed_space_is_bytes_on_a_gpu() -> None:
    assert values("0.25.1", kv_cache={"space_gib": 1.5})["kv_cache_memory_bytes"] == 1610612736
    assert "kv_cache.space_gib" in unsaid("vllm", "0.9.2", kv_cache={"space_gib": 1.5})


def test_a_fixed_space_is_a_variable_on_a_cpu_where_it_is_whole() -> None:
    launch = lower("vllm", hardware={"gpu": "cpu"}, kv_cache={"space_gib": 2})
    assert launch.environment["VLLM_CPU_KVCACHE_SPACE"] == "2"
    launch = lower("vllm", hardware={"gpu": "cpu"}, kv_cache={"space_gib": 0.5})
    assert "VLLM_CPU_KVCACHE_SPACE" not in launch.environment
    assert parsed(launch).values["kv_cache_memory_bytes"] == 536870912


@pytest.mark.parametrize(
    ("method", "model", "config"),
    [
        ("ngram", None, {"method": "ngram", "num_speculative_tokens": 4}),
        ("eagle3", "org/head", {"method": "eagle3", "num_speculative_tokens": 4, "model": "org/head"}),
        ("draft", "org/small", {"num_speculative_tokens": 4, "model": "org/small"}),
    ],
)
def test_speculation_is_one_json_flag(method: str, model: str | None, config: dict[str, object]) -> None:
    speculative = {"method": method, "tokens": 4, "model": model, "config": "examples/tiny-llama/config.json"}
    found = values(
        "0.25.1", speculative={k: v for k, v in speculative.items() if v and (model or k != "config")}
    )
    assert found["speculative_config"] == config


def test_speculation_was_several_flags_before() -> None:
    found = values("0.7.3", speculative={"method": "ngram", "tokens": 4})
    assert (found["speculative_model"], found["num_speculative_tokens"]) == ("[ngram]", 4)


def test_several_nodes_take_ranks_where_the_version_has_them() -> None:
    launch = lower(
        "vllm",
        "0.25.1",
        hardware={"gpu": "H100-80GB", "count": 8, "nodes": 2},
        parallel={"tensor": 8, "pipeline": 2},
    )
    assert launch.cluster is not None
    assert "--node-rank" in launch.cluster.node_flags
    assert launch.cluster.worker_flags == ("--headless",)
    assert launch.cluster.head_start == ()


def test_several_nodes_take_ray_before_that() -> None:
    launch = lower(
        "vllm",
        "0.9.2",
        hardware={"gpu": "H100-80GB", "count": 8, "nodes": 2},
        parallel={"tensor": 8, "pipeline": 2},
    )
    assert launch.cluster is not None
    assert launch.cluster.head_start[:3] == ("ray", "start", "--head")
    assert parsed(launch).values["distributed_executor_backend"] == "ray"


def test_a_configuration_file_never_says_false() -> None:
    launch = lower("vllm", "0.25.1", kv_cache={"prefix_caching": False})
    assert launch.config is not None
    assert launch.config["no-enable-prefix-caching"] is True
    assert False not in launch.config.values()
    assert None not in launch.config.values()


def test_the_file_leaves_the_model_out_where_the_version_wants_it_as_a_word() -> None:
    launch = lower("vllm", "0.8.5")
    assert launch.config is not None
    assert "model" not in launch.config
    assert launch.config_flags == (LLAMA,)


def test_the_python_class_gets_no_flag_of_the_http_server() -> None:
    launch = lower(
        "vllm", "0.25.1", args={"enable_auto_tool_choice": True, "tool_call_parser": "hermes", "seed": 1}
    )
    assert launch.offline == {"model": LLAMA, "seed": 1}
