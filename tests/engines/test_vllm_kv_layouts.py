"""Blocks, groups and tokens of tiny models on the real vLLM for CPU, against the prediction: equal, every one.

The engine is started on each model in turn by its own Python (``kv_vllm.py``), with dummy weights.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny_configurations import CONFIGURATIONS

from servespec.deployment import Deployment
from servespec.engines.base import Inputs
from servespec.engines.vllm import ENGINE
from servespec.engines.vllm.kv import layer_specs
from servespec.engines.vllm.kv.groups import group_layers
from servespec.hardware import find
from servespec.models import facts_from_config
from servespec.spec.model import Spec

pytestmark = [pytest.mark.engine, pytest.mark.slow]

VERSION = "0.32.0"
HERE = Path(__file__).parent
Row = Mapping[str, Any]

# The reference MLA kernel everywhere: processors with AMX would take another, with larger blocks.
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "deepseek-v2": {"attention_backend": "CPU_MLA"},
    "deepseek-v3": {"attention_backend": "CPU_MLA"},
}
MAX_MODEL_LEN = 512

# Layouts that others already cover, started only when asked for: each takes some seconds.
ALIKE = frozenset(
    {
        "qwen2",
        "qwen3-moe",
        "granite",
        "olmo2",
        "starcoder2",
        "nemotron",
        "gemma",
        "minimax-m2",
        "deepseek-v3",
        "olmoe",
        "glm4-moe",
    }
)
NAMES = [
    name for name in CONFIGURATIONS if name not in ALIKE or os.environ.get("SERVESPEC_ALL_ARCHITECTURES")
]


@pytest.fixture(scope="module")
def measured(
    vllm_python: Path, one_engine_at_a_time: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Row]:
    folder = tmp_path_factory.mktemp("kv")
    rows = folder / "rows.jsonl"
    arguments = {name: {"max_model_len": MAX_MODEL_LEN, **ARGUMENTS.get(name, {})} for name in NAMES}
    lines = (
        json.dumps({"id": name, "config": CONFIGURATIONS[name], "arguments": arguments[name]})
        for name in NAMES
    )
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = folder / "found.jsonl"
    process = subprocess.run(
        [vllm_python, HERE / "kv_vllm.py", rows, found],
        capture_output=True,
        text=True,
        check=False,
        timeout=850,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return {row["id"]: row for row in map(json.loads, found.read_text(encoding="utf-8").splitlines())}


def deployment_of(name: str) -> Deployment:
    args = {"enforce_eager": True, "max_num_seqs": 4, **ARGUMENTS.get(name, {})}
    spec = Spec.model_validate(
        {
            "servespec": "v1",
            "name": name,
            "model": {"id": f"tiny/{name}"},
            "hardware": {"gpu": "cpu"},
            "limits": {"max_model_len": MAX_MODEL_LEN},
            "kv_cache": {"space_gib": 1.0},
            "targets": {"vllm": {"version": VERSION, "args": args}},
        }
    )
    model, device = facts_from_config(CONFIGURATIONS[name], id=name, source="test"), find("cpu", None)
    target = spec.targets["vllm"]
    inputs = Inputs(spec=spec, target=target, version=VERSION, model=model, gpu=device)
    return Deployment(
        spec=spec,
        engine="vllm",
        version=VERSION,
        asked_version=VERSION,
        target=target,
        model=model,
        gpu=device,
        settings=ENGINE.resolve(inputs).settings,
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_allocates_what_is_predicted(name: str, measured: dict[str, Row]) -> None:
    row = measured[name]
    assert "num_blocks" in row, row.get("error")
    deployment = deployment_of(name)
    found = ENGINE.budget(deployment)
    assert found.num_blocks == row["num_blocks"]
    assert found.kv_tokens == row["tokens"]
    assert found.max_concurrency == row["concurrency"]
    groups = [
        [len(group.layers), group.spec.block_size, group.spec.page_bytes]
        for group in group_layers(deployment, layer_specs(deployment))
    ]
    if len(groups) == len(row["groups"]):  # one group of several page sizes is shown as their sum
        assert sorted(groups) == sorted(row["groups"]) or len(groups) == 1
