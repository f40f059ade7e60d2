"""What SGLang's own memory pools take for tiny models on a CPU, against the prediction: equal to the byte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sglang_configurations import OTHERS, RECURRENT

from servespec.deployment import Deployment
from servespec.engines.base import Inputs
from servespec.engines.sglang import ENGINE
from servespec.engines.sglang.states import bytes_per_state
from servespec.hardware import find
from servespec.models.build import facts_from_config
from servespec.spec.model import Spec

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "engines"))
from tiny_architectures import ARCHITECTURES, Shape  # noqa: E402

pytestmark = pytest.mark.engine

VERSION = "0.5.23"
TOKENS = 4096


def configurations() -> dict[str, dict[str, Any]]:
    """Name → config.json."""
    found: dict[str, dict[str, Any]] = {}
    for name, build in ARCHITECTURES.items():
        config, _ = build(Shape())
        # SGLang reads hidden_act where Gemma's own configuration has hidden_activation.
        found[name] = {
            **config,
            "torch_dtype": "bfloat16",
            "hidden_act": config.get("hidden_act", "gelu_pytorch_tanh"),
        }
    return {**found, **{name: dict(config) for name, config in {**OTHERS, **RECURRENT}.items()}}


CONFIGURATIONS = configurations()
# gpt-oss is refused with the backend that all others take (model_hook.py).
BACKENDS = {"gpt_oss": "intel_amx"}


# What SGLang wants on a platform that keeps no snapshots of states.
WITHOUT_SNAPSHOTS = {"mamba_radix_cache_strategy": "no_buffer", "disable_overlap_schedule": True}


def arguments(name: str) -> dict[str, Any]:
    return {
        "max_total_tokens": TOKENS,
        "attention_backend": BACKENDS.get(name, "torch_native"),
        **(WITHOUT_SNAPSHOTS if name in RECURRENT else {}),
    }


@pytest.fixture(scope="module")
def measured(
    sglang_python: Path, one_engine_at_a_time: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What the real pools take, all architectures in one run."""
    lines = []
    for name, config in CONFIGURATIONS.items():
        folder = tmp_path_factory.mktemp(name)
        (folder / "config.json").write_text(json.dumps(config))
        lines.append(json.dumps({"name": name, "folder": str(folder), "args": arguments(name)}))
    done = subprocess.run(
        [sglang_python, Path(__file__).with_name("kv_sglang.py")],
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
    return {answer["name"]: answer for answer in answers}


def deployment(name: str) -> Deployment:
    spec = Spec.model_validate(
        {
            "servespec": "v1",
            "name": "tiny",
            "model": {"id": f"tiny/{name}"},
            "hardware": {"gpu": "cpu"},
            "targets": {"sglang": {"version": VERSION, "args": arguments(name)}},
        }
    )
    inputs = Inputs(
        spec=spec,
        target=spec.targets["sglang"],
        version=ENGINE.nearest_version(VERSION),
        model=facts_from_config(CONFIGURATIONS[name], id=f"tiny/{name}", source="test"),
        gpu=find("cpu"),
    )
    return Deployment(
        spec=spec,
        engine="sglang",
        version=inputs.version,
        asked_version=VERSION,
        target=inputs.target,
        model=inputs.model,
        gpu=inputs.gpu,
        settings=ENGINE.resolve(inputs).settings,
    )


@pytest.mark.parametrize("name", RECURRENT)
def test_a_state_takes_what_was_predicted_to_the_byte(name: str, measured: dict[str, dict[str, Any]]) -> None:
    answer = measured[name]
    assert "error" not in answer, answer["error"]
    assert bytes_per_state(deployment(name), 0) * (answer["state_slots"] + 1) == answer["state_bytes"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_pools_take_what_was_predicted_to_the_byte(
    name: str, measured: dict[str, dict[str, Any]]
) -> None:
    answer = measured[name]
    if "error" in answer:
        pytest.skip(f"SGLang {VERSION} cannot run it on a CPU: {answer['error'][:200]}")
    found = ENGINE.budget(deployment(name))
    table = next(term for term in found.outside if term.name == "request table")
    assert found.kv_tokens == answer["tokens"]
    assert found.kv_cache_bytes == answer["kv_bytes"]
    assert found.block_size == answer["page_size"]
    assert found.details["max_running_requests"] == answer["max_running_requests"]
    assert table.size_bytes == answer["request_table_bytes"]


def test_at_least_ten_architectures_run_on_a_cpu(measured: dict[str, dict[str, Any]]) -> None:
    assert sum("error" not in answer for answer in measured.values()) >= 10
