"""KV caches of models that mix kinds of layers: what vLLM groups, pads and packs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from servespec.engines.vllm.kv import capacity, layer_specs
from servespec.engines.vllm.kv.compressed import approximate_divisor
from servespec.engines.vllm.kv.groups import group_layers
from servespec.engines.vllm.memory import budget
from servespec.models.sources.catalogue import read
from tests.unit.engines.vllm.deployments import LLAMA_8B, QWEN3_06B, deploy, facts

GIB = 2**30
EVERY_LAYER = range(10_000)

QWEN3_NEXT: Mapping[str, Any] = {
    "architectures": ["Qwen3NextForCausalLM"],
    "model_type": "qwen3_next",
    "torch_dtype": "bfloat16",
    "hidden_size": 2048,
    "intermediate_size": 5120,
    "num_hidden_layers": 48,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "vocab_size": 151936,
    "max_position_embeddings": 262144,
    "full_attention_interval": 4,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_value_head_dim": 128,
    "partial_rotary_factor": 0.25,
    "num_experts": 512,
    "num_experts_per_tok": 10,
    "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "norm_topk_prob": True,
    "rope_theta": 10000000,
    "tie_word_embeddings": False,
}


def groups_of(deployment: Any) -> list[tuple[int, int, int]]:
    groups = group_layers(deployment, layer_specs(deployment))
    return [(len(group.layers), group.spec.block_size, group.spec.page_bytes) for group in groups]


@pytest.mark.parametrize("version", ["0.19.0", "0.25.1", "0.32.0"])
def test_attention_blocks_of_a_hybrid_grow_to_the_recurrent_state(version: str) -> None:
    found = groups_of(
        deploy(config=QWEN3_NEXT, version=version, gpu="H200-141GB", limits={"max_model_len": 32768})
    )
    assert len(found) == 4  # three of gated delta nets, one of attention, twelve layers each
    assert {layers for layers, _, _ in found} == {12}
    assert len({page for _, _, page in found}) == 1
    attention_block = min(block for _, block, _ in found)
    assert attention_block % 16 == 0
    assert attention_block > 16


def test_prefix_caching_of_a_hybrid_keeps_a_second_state() -> None:
    def blocks(caching: bool) -> int:
        deployment = deploy(
            config=QWEN3_NEXT,
            gpu="H200-141GB",
            limits={"max_model_len": 32768},
            kv_cache={"prefix_caching": caching},
        )
        return capacity(deployment, EVERY_LAYER).blocks_per_request

    assert blocks(True) - blocks(False) == 3  # one in each of the three groups of recurrent layers


def test_a_state_of_another_type_changes_the_block() -> None:
    sizes = [
        groups_of(deploy(config=QWEN3_NEXT, gpu="H200-141GB", args={"mamba_ssm_cache_dtype": dtype}))[0][2]
        for dtype in ("float16", "float32")
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize(("version", "bytes_per_block"), [("0.22.0", 1_051_776), ("0.32.0", 1_002_240)])
def test_deepseek_v4_packs_windows_and_states_into_the_blocks_of_its_latent_layers(
    version: str, bytes_per_block: int
) -> None:
    """vllm issue 44376 (DeepSeek-V4-Flash, fp8): 6.66 GiB for one request of 30,000 tokens with 16,384 in a batch."""
    found = read("deepseek-ai/DeepSeek-V4-Flash")
    assert found is not None
    deployment = deploy(
        config=found.config,
        gpu="GH200-96GB",
        version=version,
        kv_cache={"dtype": "fp8"},
        limits={"max_model_len": 30_000, "max_batched_tokens": 16_384},
    )
    pool = capacity(deployment, EVERY_LAYER)
    assert len(pool.groups) == 5
    assert pool.bytes_per_block == bytes_per_block
    if version == "0.22.0":
        assert pool.needed_bytes / GIB == pytest.approx(6.66, abs=0.005)
        assert pool.longest_context(int(5.44 * GIB)) == pytest.approx(13_528, abs=32)


@pytest.mark.parametrize(
    ("version", "bytes_per_token"), [("0.7.1", 31_104), ("0.7.3", 34_560), ("0.8.5", 31_104)]
)
def test_latent_tokens_of_0_7_2_end_on_256_bytes(version: str, bytes_per_token: int) -> None:
    found = read("deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct")
    assert found is not None
    deployment = deploy(config=found.config, version=version, limits={"max_model_len": 8192})
    assert budget(deployment).kv_bytes_per_token == bytes_per_token


@pytest.mark.parametrize(
    ("version", "env", "bytes_per_token"),
    [
        ("0.6.3", {}, 27 * 2 * 16 * 256 * 2),
        ("0.7.1", {}, 27 * 576 * 2),
        ("0.25.1", {"VLLM_MLA_DISABLE": "1"}, 27 * 2 * 16 * 192 * 2),
        ("0.25.1", {"VLLM_MLA_DISABLE": "0"}, 27 * 576 * 2),
    ],
)
def test_latent_attention_that_is_expanded_keeps_every_head(
    version: str, env: Mapping[str, str], bytes_per_token: int
) -> None:
    """vllm pull 4650: DeepSeek-Coder-V2 on eight GPUs of 0.5.4 had 2,368 tokens, a hundredth of latent ones."""
    found = read("deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct")
    assert found is not None
    deployment = deploy(config=found.config, version=version, env=env, limits={"max_model_len": 8192})
    assert budget(deployment).kv_bytes_per_token == bytes_per_token


def test_ties_in_padding_go_to_the_larger_size() -> None:
    assert approximate_divisor([10, 20, 30], 10) == 10
    assert approximate_divisor([4, 4], 1) == 4
    assert approximate_divisor([21, 42, 20, 43], 21) == 22


@pytest.mark.parametrize("method", ["draft", "eagle", "eagle3"])
def test_a_draft_model_takes_weights_and_a_cache_of_its_own(method: str) -> None:
    plain = deploy(limits={"max_model_len": 8192})
    speculating = deploy(
        limits={"max_model_len": 8192}, speculative={"method": method, "tokens": 3, "model": "org/draft"}
    )
    found = budget(replace(speculating, draft=facts({**LLAMA_8B, "num_hidden_layers": 1})))
    alone = budget(plain)
    assert found.weights.size_bytes > alone.weights.size_bytes
    assert found.kv_bytes_per_token == alone.kv_bytes_per_token * 33 / 32


def test_eagle_shares_the_embeddings_that_a_draft_model_brings() -> None:
    def weights(method: str) -> int:
        deployment = deploy(speculative={"method": method, "tokens": 3, "model": "org/draft"})
        draft = facts({**LLAMA_8B, "num_hidden_layers": 1})
        return budget(replace(deployment, draft=draft)).weights.size_bytes

    embedding = 128256 * 4096 * 2
    assert weights("draft") - weights("eagle3") == embedding
    assert weights("draft") - weights("eagle") == 2 * embedding


def test_a_cache_of_eight_bits_holds_twice_the_tokens() -> None:
    wide = capacity(deploy(config=QWEN3_06B, limits={"max_model_len": 8192}), EVERY_LAYER)
    narrow = capacity(
        deploy(config=QWEN3_06B, limits={"max_model_len": 8192}, kv_cache={"dtype": "fp8"}), EVERY_LAYER
    )
    assert narrow.num_blocks(8 * GIB) == 2 * wide.num_blocks(8 * GIB)


def test_context_parallel_ranks_share_a_request() -> None:
    alone = capacity(deploy(limits={"max_model_len": 8192}), EVERY_LAYER)
    shared = capacity(
        deploy(
            limits={"max_model_len": 8192}, args={"decode_context_parallel_size": 2}, parallel={"tensor": 8}
        ),
        EVERY_LAYER,
    )
    assert shared.blocks_per_request * 2 == alone.blocks_per_request
