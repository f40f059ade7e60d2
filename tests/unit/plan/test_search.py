"""Pruning changes nothing but the time: the same answers as asking the engine about every configuration."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servespec.plan import Wishes, plan
from servespec.plan.plan import Plan
from servespec.plan.prices import Prices
from servespec.spec.loader import load_text
from servespec.spec.model import Spec

GPUS = (
    "T4",
    "L4",
    "A10G",
    "A100-40GB",
    "A100-80GB",
    "L40S",
    "H100",
    "H100-NVL",
    "H200",
    "B200",
    "MI300X",
    "RTX 4090",
)
TARGETS = {
    "vllm": "vllm: {version: 0.25.1}",
    "sglang": "sglang: {version: 0.5.17}",
    "tgi": "tgi: {version: 3.3.7}",
}
MODELS = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen2-7B-Instruct",
    "openai/gpt-oss-20b",
    "HuggingFaceTB/SmolLM2-1.7B-Instruct",
    "Qwen/Qwen3-32B-FP8",
    "google/gemma-3-12b-it",
)


def spec_of(text: str) -> Spec:
    loaded = load_text(text)
    assert loaded.spec is not None, loaded.diagnostics
    return loaded.spec


@st.composite
def questions(draw: st.DrawFn) -> tuple[Spec, Wishes]:
    model = draw(st.sampled_from(MODELS))
    engines = draw(st.lists(st.sampled_from(sorted(TARGETS)), min_size=1, max_size=2, unique=True))
    inputs, outputs = draw(st.sampled_from([(512, 128), (6000, 500), (64, 1024)]))
    arrival = draw(st.sampled_from(["concurrency: 1", "concurrency: 300", "requests_per_second: 5"]))
    objectives = draw(st.sampled_from(["", "itl_ms: 40", "ttft_ms: 500", "output_tokens_per_second: 3000"]))
    limits = draw(
        st.sampled_from(
            [
                "max_model_len: 8192",
                "",
                "max_model_len: 8192, gpu_memory_fraction: 0.8",
                "max_model_len: 200000",  # above what the models allow
            ]
        )
    )
    spec = spec_of(
        f"servespec: v1\nname: q\nmodel: {{id: {model}}}\nhardware: {{gpu: H100}}\n"
        f"limits: {{{limits}}}\n"
        f"workload: {{input_tokens: {inputs}, output_tokens: {outputs}, {arrival}}}\n"
        f"objectives: {{{objectives}}}\ntargets: {{{', '.join(TARGETS[name] for name in engines)}}}\n"
    )
    gpus = tuple(draw(st.lists(st.sampled_from(GPUS), min_size=1, max_size=3, unique=True)))
    vary = frozenset(
        draw(
            st.sets(
                st.sampled_from(["tensor", "pipeline", "data", "kv_dtype", "context", "quantization"]),
                min_size=1,
                max_size=2,
            )
        )
    )
    from servespec.hardware.catalogue import named

    priced = draw(st.booleans())
    per_hour = (
        {named(name).name: draw(st.sampled_from([0.5, 1.0, 2.5, 4.0])) for name in gpus} if priced else {}
    )
    prices = Prices(currency="EUR", per_hour=per_hour) if priced else None
    named_apart = draw(st.booleans()) or not priced
    return spec, Wishes(gpus=gpus if named_apart else (), vary=vary, prices=prices, most_nodes=1)


def answers(found: Plan) -> list[tuple[object, ...]]:
    return [
        (
            fit.candidate.gpu.name,
            fit.candidate.split,
            fit.candidate.engine,
            fit.candidate.kv_dtype,
            fit.candidate.max_model_len,
            fit.candidate.checkpoint.title,
            fit.sizing.replicas,
        )
        for fit in (*found.answers, *found.of_each)
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions())
def test_the_pruned_search_answers_as_the_exhaustive_one(question: tuple[Spec, Wishes]) -> None:
    spec, wishes = question
    pruned = plan(spec, Path(), wishes)
    whole = plan(spec, Path(), wishes, prune=False)
    assert answers(pruned) == answers(whole)
    assert pruned.candidates == whole.candidates == whole.exact


def test_pruning_asks_the_engine_about_a_small_part_only() -> None:
    spec = spec_of(
        "servespec: v1\nname: q\nmodel: {id: meta-llama/Llama-3.1-8B-Instruct}\nhardware: {gpu: H100}\n"
        "limits: {max_model_len: 8192}\ntargets: {vllm: {version: 0.25.1}}\n"
    )
    found = plan(spec, Path(), Wishes())
    assert found.best is not None
    assert found.exact < found.candidates / 20


def test_an_error_that_holds_on_every_gpu_is_found_once() -> None:
    spec = spec_of(
        "servespec: v1\nname: q\nmodel: {id: Qwen/Qwen2-7B-Instruct}\nhardware: {gpu: H100}\n"
        "limits: {max_model_len: 200000}\ntargets: {vllm: {version: 0.25.1}}\n"
    )
    found = plan(spec, Path(), Wishes())
    assert found.best is None
    assert found.exact == 0
    refusals = [refusal for outcome in found.outcomes for _, refusal in outcome.refused]
    assert {refusal.constraint for refusal in refusals} == {"SV222"}


def test_an_error_of_some_gpus_only_does_not_hold_on_the_others() -> None:
    spec = spec_of(
        "servespec: v1\nname: q\nmodel: {id: Qwen/Qwen3-32B-FP8}\nhardware: {gpu: H100}\n"
        "limits: {max_model_len: 8192}\nkv_cache: {dtype: fp8}\ntargets: {vllm: {version: 0.25.1}}\n"
    )
    wishes = Wishes(gpus=("V100", "H100"), most_nodes=1)
    found = plan(spec, Path(), wishes)
    assert {fit.candidate.gpu.name for fit in found.of_each} == {"H100-80GB"}
