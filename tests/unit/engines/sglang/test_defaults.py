import pytest

from tests.unit.engines.sglang.deployments import deploy


@pytest.mark.parametrize(
    ("version", "gpu", "tensor", "fraction", "chunk"),
    [
        # Until 0.4.5 by the number of GPUs alone.
        ("0.4.2", "RTX-3090-24GB", 1, 0.88, 2048),
        ("0.4.4", "H100-80GB", 8, 0.81, 8192),
        ("0.4.6.post4", "A6000-48GB", 1, 0.88, 8192),
        # min(0.88 + 48 × 1024 × 0.12 ÷ 143771, (143771 − 18 × 1024) ÷ 143771)
        ("0.4.6.post4", "H200-141GB", 1, 0.871794, 8192),
        # 0.4.8 to 0.5.2 by steps: (24564 − 2.9 × 1024) ÷ 24564
        ("0.4.9", "RTX-4090-24GB", 1, 0.879, 2048),
        ("0.5.2", "H100-80GB", 4, 0.856, 8192),
        # Since 0.5.3 from chunk and graphs, at least 10 GiB above 60 GiB.
        ("0.5.8", "H100-80GB", 1, 0.835, 8192),
        ("0.5.17", "H200-141GB", 1, 0.903, 8192),
        # 23034 MiB − (512 + 1.5 × 2048 + 128 + 2 × 24 graphs + 8 × 42 prefill graphs)
        ("0.5.17", "L4-24GB", 1, 0.822, 2048),
        # 23034 MiB − (512 + 1.5 × 4096 + 128 + 2 × 48 graphs + 8 × 50 prefill graphs)
        ("0.5.23", "L4-24GB", 1, 0.684, 4096),
        ("0.5.23", "B200-180GB", 8, 0.849, 16384),
    ],
)
def test_the_static_fraction_follows_the_version_and_the_gpu(version, gpu, tensor, fraction, chunk) -> None:
    settings = deploy(version=version, gpu=gpu, parallel={"tensor": tensor}).settings
    assert settings.number("mem_fraction_static") == pytest.approx(fraction, abs=0.0006)
    assert settings.integer("chunked_prefill_size") == chunk


@pytest.mark.parametrize(
    ("args", "fraction"),
    [
        ({"disable_cuda_graph": True}, 0.91),
        ({"disable_cuda_graph": True, "chunked-prefill-size": 2048}, 0.929),
    ],
)
def test_the_measured_fractions_of_an_h200_are_met(args, fraction) -> None:
    assert deploy(args=args).settings.number("mem_fraction_static") == fraction


def test_a_flag_wins_over_the_default_and_says_its_key() -> None:
    setting = deploy(args={"mem-fraction-static": 0.5}).settings["mem_fraction_static"]
    assert (setting.value, setting.source, setting.key) == (
        0.5,
        "args",
        "targets.sglang.args.mem-fraction-static",
    )


def test_a_share_of_the_device_withholds_as_much_from_the_static_part() -> None:
    own = deploy().settings.number("mem_fraction_static")
    setting = deploy(limits={"gpu_memory_fraction": 0.8}).settings["mem_fraction_static"]
    assert setting.value == pytest.approx(own - 0.2)
    assert setting.key == "limits.gpu_memory_fraction"


def test_spec_keys_become_the_engine_s_own_settings() -> None:
    settings = deploy(
        limits={"max_model_len": 8192, "max_concurrent_requests": 32, "max_batched_tokens": 4096},
        parallel={"tensor": 2, "expert": True},
        kv_cache={"dtype": "fp8", "prefix_caching": False},
    ).settings
    assert settings["context_length"].key == "limits.max_model_len"
    assert settings.integer("max_running_requests") == 32
    assert settings.integer("chunked_prefill_size") == 4096
    assert (settings.integer("tp_size"), settings.integer("ep_size")) == (2, 2)
    assert settings.value("kv_cache_dtype") == "fp8_e4m3"
    assert settings.flag("disable_radix_cache")


def test_a_fixed_space_becomes_a_cap_in_tokens() -> None:
    settings = deploy(kv_cache={"space_gib": 1}).settings
    assert settings.integer("max_total_tokens") == 2**30 // (2 * 32 * 8 * 128 * 2)
    assert settings["max_total_tokens"].key == "kv_cache.space_gib"


def test_speculation_limits_requests_where_nothing_else_does() -> None:
    asked = {"method": "eagle3", "tokens": 3, "model": "org/draft"}
    assert deploy(speculative=asked).settings.integer("max_running_requests") == 48


def test_pages_follow_the_attention_backend() -> None:
    assert deploy(gpu="H100").settings.integer("page_size") == 1
    assert deploy(gpu="B200").settings.integer("page_size") == 64
    assert deploy(gpu="B200", version="0.4.9").settings.integer("page_size") == 1
