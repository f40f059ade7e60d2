"""Questions that people ask, answered; ``check`` confirms every answer as it would be written to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servespec.memory.budget import Verdict
from servespec.models.sources.catalogue import FOLDER
from servespec.plan import Wishes, plan
from servespec.plan.plan import DEFAULT_VARY, Plan
from servespec.plan.winner import confirm, text_of
from servespec.spec.loader import load_text

SPEC = """\
servespec: v1
name: question
model: {{id: {model}}}
hardware: {{gpu: H100-80GB}}
limits: {{max_model_len: {context}}}
workload: {{input_tokens: {inputs}, output_tokens: {outputs}, {arrival}}}
objectives: {{{objectives}}}
targets: {{{targets}}}
"""
VLLM = "vllm: {version: 0.25.1}"


def ask(folder: Path, wishes: Wishes, model: str, context: int, workload: str, **more: str) -> Plan:
    inputs, outputs, arrival = (part.strip() for part in workload.split(",", 2))
    text = SPEC.format(
        model=model,
        context=context,
        inputs=inputs,
        outputs=outputs,
        arrival=arrival,
        objectives=more.get("objectives", ""),
        targets=more.get("targets", VLLM),
    )
    loaded = load_text(text, directory=folder)
    assert loaded.spec is not None, loaded.diagnostics
    found = plan(loaded.spec, folder, wishes)
    for fit in (*found.answers, *found.of_each):
        written = text_of(fit, loaded.spec, folder, folder)
        report = confirm(written, fit.candidate.engine, folder)
        assert report.verdict is Verdict.fits, (written, [d.message for d in report.diagnostics])
        (target,) = report.targets
        assert target.budget is not None
        assert target.budget.kv_tokens == fit.budget.kv_tokens
    print(f"{model}: {found.candidates:,} configurations, {found.exact} evaluated, {found.seconds:.2f} s")
    return found


def test_a_chat_of_8b_at_50_requests_per_second_on_l4_a100_or_h100(tmp_path: Path) -> None:
    wishes = Wishes(gpus=("L4", "A100-80GB", "H100"))
    workload = "512, 128, requests_per_second: 50"
    found = ask(tmp_path, wishes, "meta-llama/Llama-3.1-8B-Instruct", 8192, workload, objectives="itl_ms: 50")
    of_each = {fit.candidate.gpu.name: fit.gpus for fit in found.of_each}
    assert set(of_each) == {"L4-24GB", "A100-80GB", "H100-80GB"}
    assert of_each["H100-80GB"] < of_each["A100-80GB"] < of_each["L4-24GB"]
    for fit in found.of_each:
        assert fit.sizing.replicas * fit.sizing.slow.requests_per_second >= 50 * 1.2
        assert fit.sizing.slow.itl_seconds <= 0.050


def test_70b_with_a_context_of_32k_does_not_go_on_one_h100(tmp_path: Path) -> None:
    wishes = Wishes(gpus=("H100", "H200"))
    found = ask(tmp_path, wishes, "meta-llama/Llama-3.3-70B-Instruct", 32768, "28000, 1000, concurrency: 4")
    of_each = {fit.candidate.gpu.name: fit.candidate.split.gpus for fit in found.of_each}
    assert of_each["H100-80GB"] > 2  # 141 GB of weights leave two of them nothing for the cache
    assert of_each["H200-141GB"] == 2


def test_deepseek_v3_on_eight_h200(tmp_path: Path) -> None:
    wishes = Wishes(gpus=("H200",), vary=frozenset({"tensor"}))
    found = ask(tmp_path, wishes, "deepseek-ai/DeepSeek-V3", 32768, "4000, 1000, concurrency: 64")
    assert found.best is not None
    assert (found.best.candidate.split.tensor, found.best.gpus) == (8, 8)
    refused = {refusal.constraint for outcome in found.outcomes for _, refusal in outcome.refused}
    assert "weights_exceed_device" in refused


def test_gpt_oss_120b_goes_on_one_gpu_of_80_gb(tmp_path: Path) -> None:
    found = ask(
        tmp_path,
        Wishes(gpus=("H100", "A100-80GB")),
        "openai/gpt-oss-120b",
        16384,
        "2000, 500, concurrency: 8",
    )
    assert {fit.candidate.gpu.name: fit.gpus for fit in found.of_each} == {"H100-80GB": 1, "A100-80GB": 1}


def test_qwen3_32b_in_fp8_against_awq(tmp_path: Path) -> None:
    config = json.loads((FOLDER / "Qwen--Qwen3-32B.json").read_text("utf-8"))["config"]
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
    (tmp_path / "awq.json").write_text(json.dumps({**config, "quantization_config": awq}), "utf-8")
    from servespec.spec.model import Model

    further = (Model(id="Qwen/Qwen3-32B", config="awq.json"),)
    wishes = Wishes(gpus=("L40S",), vary=DEFAULT_VARY | {"quantization"}, further=further)
    found = ask(tmp_path, wishes, "Qwen/Qwen3-32B", 16384, "2000, 500, concurrency: 8")
    titles = {fit.candidate.checkpoint.title: fit.gpus for fit in found.of_each}
    assert titles["Qwen/Qwen3-32B-FP8"] == 1
    assert titles["Qwen/Qwen3-32B"] == 2
    assert titles["awq.json"] == 1
    assert found.best is not None
    assert found.best.candidate.checkpoint.is_own


@pytest.mark.parametrize("gpu", ["T4", "RTX-4060-8GB"])
def test_what_serves_nobody_says_why(tmp_path: Path, gpu: str) -> None:
    wishes = Wishes(gpus=(gpu,), most_nodes=1)
    found = ask(tmp_path, wishes, "deepseek-ai/DeepSeek-V3", 8192, "4000, 1000, concurrency: 1")
    assert found.best is None
    assert {refusal.constraint for outcome in found.outcomes for _, refusal in outcome.refused} == {
        "weights_exceed_device"
    }
