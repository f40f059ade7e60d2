import pytest

from servespec.models.sources import catalogue
from tests.unit.engines.tgi.deployments import LLAMA_8B, deploy


@pytest.mark.parametrize(
    ("version", "limits"),
    [("1.1.0", (1024, 2048, 4096)), ("2.0.4", (4095, 4096, 4145)), ("2.4.1", (4095, 4096, 4145))],
)
def test_limits_before_3_are_fixed_or_the_model_s(version, limits) -> None:
    settings = deploy(version=version).settings
    names = ("max_input_tokens", "max_total_tokens", "max_batch_prefill_tokens")
    assert tuple(settings.integer(name) for name in names) == limits


def test_limits_since_3_wait_for_the_warm_up() -> None:
    settings = deploy(version="3.3.7").settings
    assert settings.value("max_total_tokens") is None
    assert settings.value("max_input_tokens") is None


def test_prefill_tokens_follow_the_flops_of_the_cards() -> None:
    """2·128·4096·(3·32 + 2·8) + 6·4096·14336, 32 layers: 15.03 GFLOP a token; 312 TFLOP/s ÷ that."""
    flop = 32 * (2 * 128 * 4096 * (3 * 32 + 2 * 8) + 6 * 4096 * 14336)
    assert deploy(gpu="A100-80GB").settings.integer("max_batch_prefill_tokens") == 312 * 10**12 // flop
    two = deploy(gpu="A100-80GB", parallel={"tensor": 2}).settings
    assert two.integer("max_batch_prefill_tokens") == 2 * 312 * 10**12 // flop


def test_the_launcher_counts_shared_experts_and_takes_mla_for_plain_heads() -> None:
    """DeepSeek-V2-Lite: 6 experts of 64 and 2 shared ones, each as wide as the dense layer; heads of 2048 ÷ 16."""
    known = catalogue.read("deepseek-ai/DeepSeek-V2-Lite")
    assert known is not None
    flop = 27 * (2 * 128 * 2048 * (3 * 16 + 2 * 16) + 6 * 2048 * 10944 * (6 + 2))
    tokens = deploy(config=known.config, gpu="H100-80GB").settings.integer("max_batch_prefill_tokens")
    assert tokens == 900 * 10**12 // flop


def test_a_card_that_the_launcher_does_not_know_has_4096_prefill_tokens() -> None:
    assert deploy(gpu="A6000-48GB").settings.integer("max_batch_prefill_tokens") == 4096
    assert deploy(gpu="H200", version="3.0.0").settings.integer("max_batch_prefill_tokens") == 4096


def test_prefill_tokens_are_no_more_than_the_model_has_positions() -> None:
    config = {**LLAMA_8B, "max_position_embeddings": 2048}
    assert deploy(config=config).settings.integer("max_batch_prefill_tokens") == 2048


@pytest.mark.parametrize(
    ("version", "wiggle"),
    [("1.3.0", 1.0), ("2.0.4", 0.95), ("2.4.0", 0.9), ("3.0.1", 0.95), ("3.2.0", 0.93), ("3.3.7", 0.9)],
)
def test_the_wiggle_room_is_that_of_the_version(version, wiggle) -> None:
    assert deploy(version=version).settings.number("tgi_wiggle_room") == wiggle


@pytest.mark.parametrize(
    ("version", "gpu", "head_dim", "block"),
    [
        ("1.4.0", "A100-80GB", 128, 16),
        ("2.2.0", "A100-80GB", 128, 16),
        ("3.3.7", "A100-80GB", 128, 1),
        ("3.3.7", "A100-80GB", 80, 256),
        ("3.3.7", "T4", 80, 16),
    ],
)
def test_the_block_size_follows_the_attention_backend(version, gpu, head_dim, block) -> None:
    config = {**LLAMA_8B, "head_dim": head_dim}
    assert deploy(version=version, gpu=gpu, config=config).settings.integer("block_size") == block


def test_a_variable_means_what_its_flag_means() -> None:
    setting = deploy(env={"MAX_BATCH_PREFILL_TOKENS": 2222}).settings["max_batch_prefill_tokens"]
    assert (setting.value, setting.key) == (2222, "targets.tgi.env.MAX_BATCH_PREFILL_TOKENS")


def test_a_flag_wins_over_its_variable() -> None:
    settings = deploy(env={"CUDA_MEMORY_FRACTION": 0.5}, args={"cuda-memory-fraction": 0.8}).settings
    assert settings.number("cuda_memory_fraction") == 0.8


def test_spec_keys_become_the_launcher_s_own_settings() -> None:
    settings = deploy(
        limits={"max_model_len": 4096, "max_input_tokens": 4000, "gpu_memory_fraction": 0.9},
        parallel={"tensor": 2},
        kv_cache={"dtype": "fp8"},
    ).settings
    assert settings["max_total_tokens"].key == "limits.max_model_len"
    assert settings["max_input_tokens"].key == "limits.max_input_tokens"
    assert settings.number("cuda_memory_fraction") == 0.9
    assert settings.integer("num_shard") == 2
    assert settings.value("kv_cache_dtype") == "fp8_e4m3fn"


def test_the_old_spelling_of_the_prompt_s_limit_is_understood() -> None:
    assert (
        deploy(version="1.1.0", args={"max_input_length": 1500}).settings.integer("max_input_tokens") == 1500
    )


def test_prefill_tokens_are_no_more_than_the_launcher_s_own_estimate_of_memory_allows() -> None:
    whole = deploy(gpu="L4-24GB").settings.integer("max_batch_prefill_tokens")
    part = deploy(gpu="L4-24GB", limits={"gpu_memory_fraction": 0.7}).settings.integer(
        "max_batch_prefill_tokens"
    )
    assert 0 < part < whole
