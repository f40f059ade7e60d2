"""The activation peak of a first compilation, held against measured starts."""

from typing import Any

import pytest

from servespec.engines.vllm.activation import activation_term
from servespec.engines.vllm.memory import budget
from servespec.models.sources.catalogue import read
from tests.unit.engines.vllm.deployments import deploy

GIB = 2**30


def qwen3_8b() -> dict[str, Any]:
    found = read("Qwen/Qwen3-8B")
    assert found is not None
    return dict(found.config)


def test_a_first_compilation_copies_the_embeddings() -> None:
    """h200-vllm-0.25.1 qwen3-8b-graphs8: 1,379,983,872 bytes with 8,192 batched tokens and 1,024 sequences."""
    deployment = deploy(
        config=qwen3_8b(),
        gpu="H200-141GB",
        args={"compilation_config": {"cudagraph_capture_sizes": [1, 2, 4, 8]}},
        limits={"max_model_len": 32768, "max_batched_tokens": 8192, "max_concurrent_requests": 1024},
    )
    assert activation_term(deployment).size_bytes == pytest.approx(1_379_983_872, rel=0.001)


def test_an_l4_has_little_left_for_an_8b_model_in_16_bits() -> None:
    """l4-farcic-1: vLLM 0.27.1, 3.14 GiB of KV cache."""
    found = budget(
        deploy(
            config=qwen3_8b(),
            gpu="L4-24GB",
            version="0.27.1",
            limits={"max_model_len": 8192, "gpu_memory_fraction": 0.9},
        )
    )
    assert found.kv_cache_bytes / GIB == pytest.approx(3.14, abs=0.1)


@pytest.mark.parametrize("args", [{"enforce_eager": True}, {}])
def test_nothing_is_copied_in_eager_mode(args: dict[str, bool]) -> None:
    deployment = deploy(config=qwen3_8b(), gpu="L4-24GB", args=args, limits={"max_model_len": 8192})
    names = [phase.name for phase in activation_term(deployment).parts]
    assert ("first compilation" in names) is not args.get("enforce_eager", False)
