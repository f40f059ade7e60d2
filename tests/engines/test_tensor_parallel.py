"""What each rank of the real engines holds of a tiny model that is split: bytes and tokens as predicted, exactly.

``ranks_vllm.py`` and ``ranks_sglang.py`` build every model on real ranks in the engines' own Python; one server of each
engine is started with two ranks as well, and its log is read.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_engines import serving, session_processes
from tiny_configurations import CONFIGURATIONS

from servespec.deployment import Deployment
from servespec.engines import get_engine
from servespec.engines.base import Inputs
from servespec.engines.sglang.weights import weights
from servespec.engines.vllm.weights import weights_term
from servespec.hardware import find
from servespec.models import facts_from_config
from servespec.spec.model import Spec

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two ranks need two cores"),
]

HERE = Path(__file__).parent
VERSIONS = {"vllm": "0.32.0", "sglang": "0.5.23"}
MAX_MODEL_LEN = 512
Answer = Mapping[str, Any]

TENSOR: Mapping[str, Any] = {"tensor": 2}
EXPERT: Mapping[str, Any] = {"tensor": 2, "expert": True}
PIPELINE: Mapping[str, Any] = {"pipeline": 2}
YARN = {
    "type": "yarn",
    "factor": 4,
    "original_max_position_embeddings": 512,
    "beta_fast": 32,
    "beta_slow": 1,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A tiny model and how it is split; ``args`` are the engine's, by its name."""

    model: str
    parallel: Mapping[str, Any] = field(default_factory=lambda: TENSOR)
    changes: Mapping[str, Any] = field(default_factory=dict)
    engines: tuple[str, ...] = ("vllm", "sglang")
    args: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    even: bool = True
    """Whether all ranks of a stage hold the same; else the prediction is of the one that holds most."""

    @property
    def config(self) -> dict[str, Any]:
        """The configuration."""
        return {**CONFIGURATIONS[self.model], **self.changes}

    def engine_args(self, engine: str) -> dict[str, Any]:
        """Arguments of the engine, over those that every case has."""
        return {**ARGS[engine], **self.args.get(engine, {})}


ARGS: Mapping[str, Mapping[str, Any]] = {
    "vllm": {"enforce_eager": True, "max_num_seqs": 4},
    "sglang": {"max_total_tokens": 4096, "attention_backend": "torch_native"},
}
# Where heads do not divide by the ranks, SGLang pads them on a CPU (configs/update_config.py), on a GPU it does not:
# such cases are vLLM's alone.
CASES: Mapping[str, Case] = {
    "llama": Case(model="llama"),
    "one kv head on both ranks": Case(model="llama-one-kv-head", engines=("vllm",)),
    "two kv heads on four ranks": Case(model="llama", parallel={"tensor": 4}, engines=("vllm",)),
    "vocabulary padded": Case(model="llama", changes={"vocab_size": 509}),
    "qwen3-moe": Case(model="qwen3-moe"),
    "qwen3-moe, expert parallel": Case(model="qwen3-moe", parallel=EXPERT),
    "five experts, expert parallel": Case(
        model="qwen3-moe", parallel=EXPERT, changes={"num_experts": 5}, engines=("vllm",), even=False
    ),
    "deepseek-v2": Case(
        model="deepseek-v2",
        changes={"rope_scaling": YARN},
        args={"vllm": {"attention_backend": "CPU_MLA"}},  # processors with AMX would take another
    ),
    "gemma2": Case(model="gemma2", changes={"hidden_act": "gelu_pytorch_tanh"}),
    "phi3": Case(model="phi3"),
    "olmo2": Case(model="olmo2", engines=("vllm",)),
    "gpt-oss, expert parallel": Case(model="gpt-oss", parallel=EXPERT, engines=("vllm",)),
    "glm4-moe": Case(model="glm4-moe", engines=("vllm",)),
    "qwen3-next": Case(model="qwen3-next", engines=("vllm",)),
    "granite-hybrid, one group": Case(model="granite-hybrid", engines=("vllm",)),
    "llama, two stages": Case(model="llama", parallel=PIPELINE),
    "qwen3, tied, two stages": Case(
        model="qwen3", parallel=PIPELINE, changes={"tie_word_embeddings": True}, engines=("vllm",)
    ),
    "qwen3, two stages": Case(model="qwen3", parallel=PIPELINE, engines=("sglang",)),
}


def names(engine: str) -> list[str]:
    return [name for name, case in CASES.items() if engine in case.engines]


def deployment(engine_name: str, case: Case) -> Deployment:
    """What servespec makes of the same model, split and settings."""
    engine, version = get_engine(engine_name), VERSIONS[engine_name]
    spec = Spec.model_validate(
        {
            "servespec": "v1",
            "name": "tiny",
            "model": {"id": "tiny/model"},
            "hardware": {"gpu": "cpu", "count": max(case.parallel.values())},
            "parallel": dict(case.parallel),
            "limits": {"max_model_len": MAX_MODEL_LEN},
            "kv_cache": {"space_gib": 1.0} if engine_name == "vllm" else {},
            "targets": {engine_name: {"version": version, "args": case.engine_args(engine_name)}},
        }
    )
    model, device = facts_from_config(case.config, id="tiny/model", source="test"), find("cpu", None)
    target = spec.targets[engine_name]
    inputs = Inputs(spec=spec, target=target, version=version, model=model, gpu=device)
    return Deployment(
        spec=spec,
        engine=engine_name,
        version=version,
        asked_version=version,
        target=target,
        model=model,
        gpu=device,
        settings=engine.resolve(inputs).settings,
    )


def measure(engine: str, python: Path) -> dict[str, Answer]:
    """What the engine's ranks hold, every case of it in one run; the splits by the engine's own names."""
    lines = []
    for name in names(engine):
        case = CASES[name]
        tensor, stages = case.parallel.get("tensor", 1), case.parallel.get("pipeline", 1)
        is_expert = bool(case.parallel.get("expert"))
        arguments = {
            "vllm": {
                "max_model_len": MAX_MODEL_LEN,
                "tensor_parallel_size": tensor,
                "pipeline_parallel_size": stages,
                "enable_expert_parallel": is_expert,
            },
            "sglang": {
                "context_length": MAX_MODEL_LEN,
                "tp_size": tensor,
                "pp_size": stages,
                "ep_size": tensor if is_expert else 1,
            },
        }[engine]
        asked = {"id": name, "config": case.config, "arguments": {**arguments, **case.engine_args(engine)}}
        lines.append(json.dumps(asked))
    done = subprocess.run(
        [python, HERE / f"ranks_{engine}.py"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    answers = [
        json.loads(line.removeprefix("ANSWER "))
        for line in done.stdout.splitlines()
        if line.startswith("ANSWER ")
    ]
    assert answers, done.stderr[-2000:]
    return {answer["id"]: answer for answer in answers}


@pytest.fixture(scope="module")
def vllm_ranks(vllm_python: Path, one_engine_at_a_time: None) -> dict[str, Answer]:
    return measure("vllm", vllm_python)


@pytest.fixture(scope="module")
def sglang_ranks(sglang_python: Path, one_engine_at_a_time: None) -> dict[str, Answer]:
    return measure("sglang", sglang_python)


def ranks_of(answers: Mapping[str, Answer], name: str) -> list[Answer]:
    answer = answers[name]
    assert "error" not in answer, answer["error"]
    case = CASES[name]
    assert len(answer["ranks"]) == case.parallel.get("tensor", 1) * case.parallel.get("pipeline", 1)
    return list(answer["ranks"])


def stage_of(name: str, rank: Answer) -> int:
    return int(rank["rank"]) // int(CASES[name].parallel.get("tensor", 1))


def held(rank: Answer) -> int:
    """Bytes of parameters, and of what the engine copies of them."""
    return sum(rank["parameters"].values()) + sum(rank.get("copies", {}).values())


@pytest.mark.parametrize("name", names("vllm"))
def test_every_rank_of_vllm_holds_the_bytes_that_were_predicted(
    name: str, vllm_ranks: dict[str, Answer]
) -> None:
    ranks, found = ranks_of(vllm_ranks, name), deployment("vllm", CASES[name])
    measured = {(stage_of(name, rank), int(rank["rank"])): held(rank) for rank in ranks}
    for stage in {stage for stage, _ in measured}:
        parts = {part.name: part.size_bytes for part in weights_term(found, stage).parts}
        predicted = sum(parts.values()) - parts.get("rope tables", 0) - parts.get("buffers", 0)
        sizes = [size for (of, _), size in measured.items() if of == stage]
        assert max(sizes) == predicted
        assert not CASES[name].even or min(sizes) == predicted


@pytest.mark.parametrize("name", names("vllm"))
def test_vllm_lays_out_the_blocks_and_tokens_that_were_predicted(
    name: str, vllm_ranks: dict[str, Answer]
) -> None:
    budget = get_engine("vllm").budget(deployment("vllm", CASES[name]))
    for rank in ranks_of(vllm_ranks, name):
        assert rank["num_blocks"] == budget.num_blocks
        assert rank["tokens"] == budget.kv_tokens
        assert rank["concurrency"] == budget.max_concurrency


@pytest.mark.parametrize("name", names("sglang"))
def test_every_rank_of_sglang_holds_the_bytes_that_were_predicted(
    name: str, sglang_ranks: dict[str, Answer]
) -> None:
    found = deployment("sglang", CASES[name])
    for rank in ranks_of(sglang_ranks, name):
        parts = {part.name: part.size_bytes for part in weights(found, stage_of(name, rank)).parts}
        assert held(rank) == parts["tensors"]
        if "rope_scaling" not in CASES[name].changes and CASES[name].model != "gemma2":
            assert sum(rank["buffers"].values()) == parts["rotary tables"]


@pytest.mark.parametrize("name", names("sglang"))
def test_the_pools_of_sglang_take_what_was_predicted(name: str, sglang_ranks: dict[str, Answer]) -> None:
    budget = get_engine("sglang").budget(deployment("sglang", CASES[name]))
    ranks = ranks_of(sglang_ranks, name)
    assert {rank["tokens"] for rank in ranks} == {budget.kv_tokens}
    assert {rank["page_size"] for rank in ranks} == {budget.block_size}
    assert min(rank["kv_bytes"] for rank in ranks) == budget.kv_cache_bytes


SERVERS: Mapping[str, Mapping[str, Any]] = {
    "vllm": {"env": {"VLLM_CPU_OMP_THREADS_BIND": "0|1"}},
    "sglang": {"env": {"SGLANG_CPU_OMP_THREADS_BIND": "0|1"}, "args": {"max_total_tokens": 4096}},
}


@pytest.mark.parametrize("engine", SERVERS)
def test_a_server_of_two_ranks_keeps_the_tokens_that_were_predicted(
    engine: str,
    spec_file: Callable[..., Path],
    request: pytest.FixtureRequest,
    one_engine_at_a_time: None,
) -> None:
    python = request.getfixturevalue(f"{engine}_python")
    spec = spec_file(
        hardware={"gpu": "cpu", "count": 2}, parallel={"tensor": 2}, targets={engine: SERVERS[engine]}
    )
    with serving(spec, engine, python) as served:
        observed = served.server.observed()
        processes = session_processes(served.server)
    assert observed.kv_tokens == get_engine(engine).budget(served.deployment).kv_tokens
    assert observed.ready
    assert len(processes) > 2  # the ranks, beside the process that serves
    assert not session_processes(served.server)
