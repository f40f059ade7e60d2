import pytest
from lowering_cases import LLAMA, deploy, lower, parsed, unsaid


def values(version: str | None = None, **sections: object) -> dict[str, object]:
    return dict(parsed(lower("sglang", version, **sections)).values)


def test_keys_become_the_flags_of_sglang() -> None:
    found = values(
        "0.5.17",
        model={"id": LLAMA, "revision": "abc", "dtype": "bfloat16"},
        limits={"max_model_len": 4096, "max_concurrent_requests": 64, "max_batched_tokens": 4096},
        parallel={"tensor": 2, "pipeline": 2, "data": 2},
        kv_cache={"dtype": "fp8", "prefix_caching": False, "block_size": 32},
    )
    assert found.items() >= {
        ("model_path", LLAMA),
        ("revision", "abc"),
        ("context_length", 4096),
        ("max_running_requests", 64),
        ("chunked_prefill_size", 4096),
        ("tp_size", 2),
        ("pp_size", 2),
        ("dp_size", 2),
        ("kv_cache_dtype", "fp8_e4m3"),
        ("disable_radix_cache", True),
        ("page_size", 32),
    }


def test_flags_are_never_abbreviated() -> None:
    launch = lower("sglang", "0.5.23", parallel={"tensor": 2, "pipeline": 2, "data": 2})
    assert {"--tp-size", "--pp-size", "--dp-size"} <= set(launch.flags)
    assert parsed(launch).problems == ()


def test_the_share_of_the_device_is_converted_to_sglangs() -> None:
    sections = {"limits": {"gpu_memory_fraction": 0.9}}
    expected = deploy("sglang", **sections).settings.value("mem_fraction_static")
    assert values(**sections)["mem_fraction_static"] == expected
    assert isinstance(expected, float)
    assert expected < 0.9


def test_a_fixed_space_becomes_tokens() -> None:
    # Llama-3.1-8B: 32 layers, 8 KV heads of 128, keys and values of 2 bytes.
    assert values(kv_cache={"space_gib": 1})["max_total_tokens"] == 2**30 // (32 * 8 * 128 * 2 * 2)


def test_experts_are_spread_by_size_or_by_the_switch_of_older_versions() -> None:
    sections = {"model": {"id": "Qwen/Qwen3-30B-A3B"}, "parallel": {"tensor": 4, "expert": True}}
    assert values("0.5.17", **sections)["ep_size"] == 4
    assert "enable_ep_moe" not in values("0.5.17", **sections)
    assert values("0.4.8", **sections)["enable_ep_moe"] is True


@pytest.mark.parametrize(
    ("method", "flags"),
    [
        ("ngram", {"speculative_algorithm": "NGRAM", "speculative_num_draft_tokens": 5}),
        (
            "mtp",
            {
                "speculative_algorithm": "NEXTN",
                "speculative_num_steps": 4,
                "speculative_eagle_topk": 1,
                "speculative_num_draft_tokens": 5,
            },
        ),
    ],
)
def test_speculation_is_a_chain_of_drafts(method: str, flags: dict[str, object]) -> None:
    found = values("0.5.17", speculative={"method": method, "tokens": 4})
    assert {name: value for name, value in found.items() if name.startswith("speculative")} == flags


def test_a_method_that_the_version_lacks_is_said() -> None:
    assert "speculative" in unsaid("sglang", "0.4.8", speculative={"method": "ngram", "tokens": 4})


def test_the_key_is_a_flag_and_nowhere_a_value() -> None:
    assert lower("sglang", server={"api_key_env": "KEY"}).secret_flags == (("--api-key", "KEY"),)


def test_every_node_gets_its_rank_and_the_first_ones_address() -> None:
    launch = lower("sglang", hardware={"gpu": "H100-80GB", "count": 8, "nodes": 2}, parallel={"tensor": 16})
    assert launch.cluster is not None
    words = launch.cluster.node_flags
    assert words[:3] == ("--nnodes", "2", "--node-rank")
    assert words[words.index("--dist-init-addr") + 1].suffix == ":20000"


def test_adapters_stand_beside_the_configuration_file_which_refuses_them() -> None:
    launch = lower("sglang", model={"id": LLAMA, "adapters": {"modules": {"sql": "org/sql"}}})
    assert launch.config is not None
    assert "lora-paths" not in launch.config
    assert launch.config_flags == ("--lora-paths", "sql=org/sql")


def test_there_is_no_configuration_file_before_0_5_3() -> None:
    assert lower("sglang", "0.5.2").config is None


@pytest.mark.parametrize(("method", "known"), [("medusa", False), ("eagle3", True), ("dflash", True)])
def test_a_method_of_speculation_that_sglang_does_not_have_is_told(method: str, known: bool) -> None:
    found = unsaid("sglang", "0.5.23", speculative={"method": method, "tokens": 4})
    assert ("speculative" not in found) is known
