from typing import Any

import pytest

from servespec.models.sources import catalogue
from tests.unit.engines.vllm.deployments import LLAMA_8B, MIXTRAL, deploy


@pytest.mark.parametrize(
    ("gpu", "version", "tokens", "sequences"),
    [
        ("H100-80GB", "0.25.1", 8192, 1024),
        ("H200-141GB", "0.25.1", 8192, 1024),
        ("A100-80GB", "0.25.1", 2048, 256),
        ("A100-40GB", "0.25.1", 2048, 256),
        ("L4-24GB", "0.25.1", 2048, 256),
        ("DGX-Spark-128GB", "0.13.0", 2048, 256),
        ("B200-180GB", "0.25.1", 8192, 1024),
        ("B200-180GB", "0.29.0", 16384, 1024),
        ("H100-80GB", "0.7.2", 2048, 256),
        ("cpu", "0.32.0", 2048, 128),
    ],
)
def test_batch_limits_follow_version_and_gpu(gpu: str, version: str, tokens: int, sequences: int) -> None:
    settings = deploy(gpu=gpu, version=version, limits={"max_model_len": 2048}).settings
    assert settings.value("max_num_batched_tokens") == tokens
    assert settings.value("max_num_seqs") == sequences
    assert settings["max_num_seqs"].source == f"vllm {version} default"


@pytest.mark.parametrize(("version", "fraction"), [("0.19.1", 0.9), ("0.20.0", 0.92), ("0.32.0", 0.92)])
def test_the_memory_fraction_grew_in_0_20(version: str, fraction: float) -> None:
    assert deploy(version=version).settings.value("gpu_memory_utilization") == fraction


def test_a_spec_key_decides_before_a_flag_and_a_flag_before_the_default() -> None:
    settings = deploy(
        limits={"max_model_len": 8192},
        args={"max-model-len": 4096, "--max-num-seqs": 7, "no_enable_prefix_caching": True},
    ).settings
    assert (settings.value("max_model_len"), settings["max_model_len"].source) == (8192, "spec")
    assert (settings.value("max_num_seqs"), settings["max_num_seqs"].source) == (7, "args")
    assert settings["max_num_seqs"].key == "targets.vllm.args.--max-num-seqs"
    assert settings.value("enable_prefix_caching") is False


def test_the_context_is_the_models_own_when_nothing_is_said() -> None:
    settings = deploy().settings
    assert settings.value("max_model_len") == 131072
    assert settings["max_model_len"].source.startswith("derived from")


@pytest.mark.parametrize("word", ["auto", -1, "-1"])
def test_an_automatic_context_is_known_to_be_one(word: Any) -> None:
    settings = deploy(args={"max_model_len": word}).settings
    assert settings.flag("max_model_len_is_auto")
    assert settings.value("max_model_len") == 131072


@pytest.mark.parametrize(("text", "tokens"), [("32k", 32_000), ("32K", 32_768), ("1.5k", 1_500)])
def test_lengths_may_be_written_short(text: str, tokens: int) -> None:
    assert deploy(args={"max_model_len": text}).settings.value("max_model_len") == tokens


@pytest.mark.parametrize(
    ("dtype", "gpu", "version", "expected"),
    [
        ("bfloat16", "H100-80GB", "0.25.1", "bfloat16"),
        ("bfloat16", "T4-16GB", "0.25.1", "float16"),
        ("float32", "H100-80GB", "0.25.1", "bfloat16"),
        ("float32", "H100-80GB", "0.8.5", "float16"),
        ("float16", "H100-80GB", "0.25.1", "float16"),
    ],
)
def test_auto_takes_a_half_type_that_the_gpu_has(dtype: str, gpu: str, version: str, expected: str) -> None:
    config = {**LLAMA_8B, "torch_dtype": dtype}
    assert deploy(config=config, gpu=gpu, version=version).settings.value("dtype") == expected


@pytest.mark.parametrize(
    ("config", "version", "runner"),
    [
        (LLAMA_8B, "0.7.2", "v0"),
        (LLAMA_8B, "0.19.0", "v1"),
        (LLAMA_8B, "0.22.0", "v1"),
        (LLAMA_8B, "0.23.0", "v2"),
        (MIXTRAL, "0.25.1", "v1"),
        (MIXTRAL, "0.29.0", "v2"),
    ],
)
def test_the_model_runner_follows_version_and_architecture(config: Any, version: str, runner: str) -> None:
    assert deploy(config=config, version=version).settings.value("model_runner") == runner


def test_ngram_speculation_keeps_a_dense_model_on_the_first_runner() -> None:
    """0.25.1: the V2 runner has no ngram speculation."""
    settings = deploy(speculative={"method": "ngram", "tokens": 4}).settings
    assert settings.value("model_runner") == "v1"
    assert settings.value("async_scheduling") is False


def test_the_runner_can_be_chosen_by_the_environment() -> None:
    assert deploy(env={"VLLM_USE_V2_MODEL_RUNNER": "0"}).settings.value("model_runner") == "v1"


def test_on_a_cpu_the_environment_wins_over_the_flag() -> None:
    """vLLM 0.32.0 platforms/cpu.py; the row llama-kvbytes-and-env was measured."""
    settings = deploy(
        gpu="cpu",
        version="0.32.0",
        args={"kv_cache_memory_bytes": 64_000_000},
        env={"VLLM_CPU_KVCACHE_SPACE": "1"},
    ).settings
    assert settings.value("kv_cache_memory_bytes") == 2**30


def test_a_block_on_a_cpu_holds_128_tokens() -> None:
    assert deploy(gpu="cpu", version="0.32.0").settings.value("block_size") == 128


def test_json_flags_are_read() -> None:
    settings = deploy(
        args={
            "compilation_config": '{"cudagraph_capture_sizes": [1, 2]}',
            "speculative_config": '{"method": "ngram", "num_speculative_tokens": 2}',
        }
    ).settings
    assert settings.value("compilation_config") == {"cudagraph_capture_sizes": (1, 2)}
    assert settings.value("speculative_config") == {"method": "ngram", "num_speculative_tokens": 2}


@pytest.mark.parametrize(
    ("version", "env", "chunked", "tokens"),
    [
        ("0.7.3", {}, True, 2048),
        ("0.8.5", {"VLLM_USE_V1": "0"}, False, 65536),
        ("0.8.5", {"VLLM_USE_V1": "0", "VLLM_MLA_DISABLE": "1"}, True, 2048),
    ],
)
def test_v0_prefills_latent_attention_whole_since_0_8(
    version: str, env: dict[str, str], chunked: bool, tokens: int
) -> None:
    """vllm/engine/arg_utils.py, _set_default_args_v0 of 0.8.5; EngineArgs.create_engine_config of 0.7.3."""
    found = catalogue.read("deepseek-ai/DeepSeek-V2-Lite")
    assert found is not None
    settings = deploy(config=found.config, version=version, env=env, limits={"max_model_len": 65536}).settings
    assert settings.value("enable_chunked_prefill") is chunked
    assert settings.value("max_num_batched_tokens") == tokens
