"""What is remembered is what would be worked out again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from servespec.api import resolve
from servespec.deployment import Deployment
from servespec.engines.sglang.weights import weights as sglang_weights
from servespec.engines.vllm.weights.term import weights_term
from servespec.memory.remembered import MOST_ANSWERS, remembered
from servespec.spec.model import Spec

MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-V2-Lite")


def deployment(engine: str, **changes: object) -> Deployment:
    spec = {
        "servespec": "v1",
        "name": "remembered",
        "model": {"id": changes.get("model", MODELS[0]), "quantization": changes.get("quantization")},
        "hardware": {"gpu": "H100-80GB", "count": 8},
        "limits": {"max_model_len": changes.get("length", 4096), "max_concurrent_requests": changes.get("requests")},
        "parallel": {"tensor": changes.get("tensor", 1), "data": changes.get("data", 1)},
        "kv_cache": {"dtype": changes.get("kv_dtype", "auto")},
    }  # fmt: skip
    return resolve(Spec.model_validate(spec), engine, Path())


settings = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "length": st.sampled_from((1024, 4096, 8192)),
        "requests": st.sampled_from((None, 16, 512)),
        "tensor": st.sampled_from((1, 2, 4)),
        "data": st.sampled_from((1, 2)),
        "quantization": st.sampled_from((None, "fp8")),
        "kv_dtype": st.sampled_from(("auto", "fp8")),
    }
)


@tried(deadline=None)
@given(st.lists(settings, min_size=1, max_size=4))
def test_weights_are_the_same_whether_remembered_or_not(asked: list[dict[str, object]]) -> None:
    for changes in asked:
        found = deployment("vllm", **changes)
        assert weights_term(found, 0) == weights_term.__wrapped__(found, 0)  # type: ignore[attr-defined]
        found = deployment("sglang", **changes)
        assert sglang_weights(found, 0) == sglang_weights.__wrapped__(found, 0)  # type: ignore[attr-defined]


def test_a_setting_that_was_not_looked_at_does_not_ask_again() -> None:
    calls = []

    @remembered
    def length_of_tensor(found: Deployment, stage: int) -> int:
        calls.append(stage)
        return found.settings.integer("tensor_parallel_size")

    assert length_of_tensor(deployment("vllm", length=1024), 0) == 1
    assert length_of_tensor(deployment("vllm", length=2048), 0) == 1
    assert length_of_tensor(deployment("vllm", tensor=2), 0) == 2
    assert len(calls) == 2


def test_of_the_gpu_only_what_was_looked_at_counts() -> None:
    calls = []

    @remembered
    def has_fp8(found: Deployment, stage: int) -> bool:
        calls.append(stage)
        return found.gpu.compute_capability is not None and found.gpu.compute_capability >= (8, 9)

    hopper = deployment("vllm")
    assert has_fp8(hopper, 0)
    assert has_fp8(replace(hopper, gpu=replace(hopper.gpu, name="larger", total_bytes=2**40)), 0)
    assert not has_fp8(replace(hopper, gpu=replace(hopper.gpu, compute_capability=(8, 0))), 0)
    assert len(calls) == 2


def test_a_gpu_that_is_compared_counts_whole() -> None:
    hopper = deployment("vllm")

    @remembered
    def is_hopper(found: Deployment, stage: int) -> bool:
        return found.gpu == hopper.gpu

    assert is_hopper(hopper, 0)
    assert not is_hopper(replace(hopper, gpu=replace(hopper.gpu, name="another")), 0)


def test_a_setting_that_was_missed_is_looked_at_too() -> None:
    @remembered
    def has_it(found: Deployment, stage: int) -> bool:
        return "no_such_setting" in found.settings

    plain = deployment("vllm")
    assert not has_it(plain, 0)
    some = next(iter(plain.settings.items.values()))
    items = {**plain.settings.items, "no_such_setting": some}
    assert has_it(replace(plain, settings=replace(plain.settings, items=items)), 0)


@pytest.mark.parametrize("count", [MOST_ANSWERS + 5])
def test_no_more_answers_are_kept_than_allowed(count: int) -> None:
    calls = []

    @remembered
    def length(found: Deployment, stage: int) -> int:
        calls.append(stage)
        return found.settings.integer("max_model_len")

    for number in range(count):
        assert length(deployment("vllm", length=1024 + 16 * number), 0) == 1024 + 16 * number
    assert length(deployment("vllm", length=1024), 0) == 1024
    assert len(calls) == count + 1
