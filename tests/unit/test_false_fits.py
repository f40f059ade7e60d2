"""Deployments that the engines refuse, or that run out of memory, are never said to fit: one row for each cause found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from servespec.check import check_file
from servespec.spec.loader import load_text

LLAMA, QWEN = "meta-llama/Meta-Llama-3.1-8B", "Qwen/Qwen3-8B"
EXPERTS_FP8 = "Qwen/Qwen3-30B-A3B-FP8"

Row = tuple[str, str, str, dict[str, Any], str]
ROWS: tuple[Row, ...] = (
    # A draft of another family, size or vocabulary.
    (LLAMA, "H100-80GB", "vllm 0.32.0", {"speculative": {"method": "eagle", "tokens": 3, "model": "Qwen/Qwen3-0.6B"}}, "SV278"),
    (LLAMA, "H100-80GB", "vllm 0.32.0", {"speculative": {"method": "eagle3", "tokens": 3, "model": "Qwen/Qwen3-0.6B"}}, "SV279"),
    (LLAMA, "H100-80GB", "vllm 0.32.0", {"speculative": {"method": "medusa", "tokens": 3, "model": "Qwen/Qwen3-0.6B"}}, "SV278"),
    (LLAMA, "H100-80GB", "vllm 0.32.0", {"speculative": {"method": "mtp", "tokens": 3, "model": "Qwen/Qwen3-0.6B"}}, "SV269"),
    (LLAMA, "H100-80GB", "sglang 0.5.23", {"speculative": {"method": "eagle", "tokens": 3, "model": "Qwen/Qwen3-0.6B"}}, "SV356"),
    (LLAMA, "H100-80GB", "sglang 0.5.23", {"speculative": {"method": "draft", "tokens": 3, "model": "Qwen/Qwen3-0.6B"}}, "SV355"),
    (LLAMA, "L40S-48GB", "sglang 0.5.23", {"speculative": {"method": "draft", "tokens": 3}, "limits": {"gpu_memory_fraction": 0.6}}, "SV101"),
    # Widths, experts and blocks that ranks cut through.
    ("deepseek-ai/DeepSeek-V3", "H200-141GB x24", "vllm 0.32.0", {"parallel": {"tensor": 8, "data": 3}}, "SV362"),
    (EXPERTS_FP8, "H100-80GB x8", "vllm 0.32.0", {"parallel": {"data": 8}}, "SV362"),
    (EXPERTS_FP8, "H100-80GB x8", "vllm 0.32.0", {"args": {"tensor_parallel_size": 8}}, "SV307"),
    (EXPERTS_FP8, "H100-80GB x8", "sglang 0.5.23", {"args": {"tp_size": 8}}, "SV307"),
    ("Qwen/Qwen3-30B-A3B", "H100-80GB x8", "sglang 0.5.23", {"parallel": {"tensor": 8}, "args": {"ep_size": 16}}, "SV359"),
    (LLAMA, "H100-80GB x40", "vllm 0.32.0", {"args": {"pipeline_parallel_size": 40}}, "SV303"),
    ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "H100-80GB x16", "vllm 0.32.0", {"parallel": {"tensor": 16}}, "SV370"),
    # GPUs.
    ("Qwen/Qwen3-0.6B", "V100-16GB", "vllm 0.32.0", {}, "SV365"),
    ("Qwen/Qwen3-0.6B", "T4-16GB", "sglang 0.5.17", {}, "SV101"),
    ("deepseek-ai/DeepSeek-V4-Flash", "A100-80GB x8", "vllm 0.32.0", {"parallel": {"tensor": 8}}, "SV367"),
    (LLAMA, "B200-180GB", "vllm 0.6.6", {}, "SV369"),
    (LLAMA, "B200-180GB", "sglang 0.4.4", {}, "SV101"),
    # Types. Gemma in float16 is refused, so that a GPU without bfloat16 computes it in float32: twice the weights.
    ("google/gemma-3-4b-it", "T4-16GB", "vllm 0.32.0", {}, "SV101"),
    ("Qwen/Qwen2.5-7B-Instruct-AWQ", "H100-80GB", "vllm 0.32.0", {"model": {"dtype": "float32"}}, "SV366"),
    ("unsloth/Qwen2.5-7B-Instruct-bnb-4bit", "H100-80GB", "vllm 0.32.0", {}, "SV330"),
    (QWEN, "H100-80GB", "vllm 0.32.0", {"kv_cache": {"dtype": "int8"}}, "SV228"),
    (LLAMA, "MI300X-192GB", "tgi 3.3.7", {"kv_cache": {"dtype": "fp8_e5m2"}}, "SV101"),
    (QWEN, "H100-80GB", "vllm 0.32.0", {"kv_cache": {"block_size": 7}}, "SV364"),
    ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "H100-80GB", "sglang 0.5.23", {"args": {"max_mamba_cache_size": 100000}}, "SV101"),
    (LLAMA, "H100-80GB", "vllm 0.32.0", {"args": {"num_gpu_blocks_override": 10_000_000}}, "SV101"),
    (LLAMA, "H100-80GB", "vllm 0.6.6", {"limits": {"max_batched_tokens": 2048, "max_model_len": 8192}}, "SV220"),
    (LLAMA, "A100-80GB", "vllm 0.32.0", {"args": {"attention_backend": "FLASH_ATTN_MLA"}}, "SV368"),
    ("deepseek-ai/DeepSeek-R1", "A100-80GB x16", "vllm 0.32.0", {"parallel": {"tensor": 16}, "args": {"attention_backend": "FLASHMLA"}}, "SV368"),
    (LLAMA, "H100-80GB", "vllm 0.32.0", {"args": {"attention_backend": "FOO"}}, "SV368"),
    # CPUs.
    ("nvidia/Qwen3-235B-A22B-NVFP4", "cpu", "vllm 0.32.0", {"kv_cache": {"space_gib": 64}}, "SV372"),
    (LLAMA, "cpu", "vllm 0.32.0", {"kv_cache": {"space_gib": 20}, "hardware": {"memory_gib": 32}, "limits": {"max_model_len": 8192}}, "SV101"),
    # Adapters.
    ("openai-community/gpt2", "H100-80GB", "vllm 0.32.0", {"model": {"adapters": {"max_loras": 2, "max_rank": 16}}}, "SV249"),
)  # fmt: skip


@pytest.mark.parametrize(("model", "gpu", "engine", "more", "code"), ROWS)
def test_what_an_engine_refuses_does_not_fit(
    model: str, gpu: str, engine: str, more: dict[str, Any], code: str
) -> None:
    name, version = engine.split()
    gpu, _, count = gpu.partition(" x")
    sections = {key: value for key, value in more.items() if key not in ("model", "args", "hardware")}
    spec = {
        "servespec": "v1",
        "name": "hostile",
        "model": {"id": model, **more.get("model", {})},
        "hardware": {"gpu": gpu, "count": int(count or 1), **more.get("hardware", {})},
        "targets": {name: {"version": version, "args": more.get("args", {})}},
        **sections,
    }
    report = check_file(load_text(json.dumps(spec), "hostile.yaml", Path()))
    assert report.verdict.value in ("invalid", "does_not_fit")
    assert code in {found.code for found in report.diagnostics}


@pytest.mark.parametrize("dtype", ["fp8", "fp8_e4m3", "fp8_e5m2"])
def test_tgi_holds_twice_the_tokens_in_an_fp8_cache(dtype: str) -> None:
    def tokens(kv_cache: dict[str, str]) -> int:
        spec = {
            "servespec": "v1",
            "name": "tgi",
            "model": {"id": LLAMA},
            "hardware": {"gpu": "H100-80GB"},
            "kv_cache": kv_cache,
            "targets": {"tgi": {"version": "3.3.7"}},
        }
        budget = check_file(load_text(json.dumps(spec), "tgi.yaml", Path())).targets[0].budget
        assert budget is not None
        return budget.kv_tokens

    assert tokens({"dtype": dtype}) == pytest.approx(2 * tokens({}), rel=0.2)


@pytest.mark.parametrize(
    ("model", "gpu", "engine", "version"),
    [
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", "H100-80GB", "vllm", "0.32.0"),
        ("deepseek-ai/DeepSeek-V3.2", "A100-80GB", "sglang", "0.5.23"),
        ("deepseek-ai/DeepSeek-V4-Flash", "H200-141GB", "sglang", "0.5.9"),
        ("Qwen/Qwen3.5-122B-A10B", "H200-141GB", "sglang", "0.5.2"),
    ],
)
def test_what_another_code_runs_than_the_one_that_is_modelled_is_unknown(
    model: str, gpu: str, engine: str, version: str
) -> None:
    spec = {
        "servespec": "v1",
        "name": "unknown",
        "model": {"id": model},
        "hardware": {"gpu": gpu, "count": 8},
        "parallel": {"tensor": 8},
        "targets": {engine: {"version": version}},
    }
    report = check_file(load_text(json.dumps(spec), "unknown.yaml", Path()))
    assert report.verdict.value == "unknown"
    assert "SV103" in {found.code for found in report.diagnostics}
