"""A flag may be given any value that YAML has: no rule fails over it, alone or in pairs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servespec.deployment import Deployment
from servespec.resolve import find_facts, resolve_target
from servespec.rules import run
from servespec.rules.index import INDEX
from servespec.rules.subject import Subject
from servespec.spec.loader import load_text

ODD: tuple[Any, ...] = (
    True,
    False,
    None,
    0,
    -1,
    3,
    10**15,
    -0.5,
    float("1e300"),
    "",
    "auto",
    "16",
    "{bad",
    "{}",
    "∞",
    [],
    [1, None, "a"],
    [[1]],
    {},
    {"a": {"b": [1]}},
    {"method": 5, "num_speculative_tokens": "x", "draft_tensor_parallel_size": None},
    {"method": "ngram", "num_speculative_tokens": -1, "prompt_lookup_min": "a", "prompt_lookup_max": 2},
    {"num_redundant_experts": "many", "backend": 3, "kv_connector": 1, "kv_role": [], "mode": {}},
)
TARGETS = (
    ("vllm", "0.8.5"),
    ("vllm", "0.32.0"),
    ("sglang", "0.5.2"),
    ("sglang", "0.5.23"),
    ("tgi", "2.4.1"),
    ("tgi", "3.3.7"),
)
NAMES = {
    engine: sorted(
        word.removeprefix("args.")
        for row in INDEX
        for word in row[7]
        if word.startswith("args.") and row[5] in (None, engine)
    )
    for engine in ("vllm", "sglang", "tgi")
}


@cache
def deployment(engine: str, version: str) -> Deployment:
    text = (
        "servespec: v1\nname: any\nmodel: {id: Qwen/Qwen3-30B-A3B, adapters: {max_rank: 16}}\n"
        "hardware: {gpu: H100-80GB, count: 2}\nparallel: {tensor: 2}\nkv_cache: {dtype: fp8}\n"
        f"targets: {{{engine}: {{version: {version}}}}}\n"
    )
    spec = load_text(text).spec
    assert spec is not None
    return resolve_target(spec, engine, find_facts(spec, Path()), Path()).deployment


def look(engine: str, version: str, args: dict[str, Any]) -> None:
    base = deployment(engine, version)
    target = base.target.model_copy(update={"args": args})
    spec = base.spec.model_copy(update={"targets": {engine: target}})
    for found in (
        run(Subject(spec=spec)),
        run(Subject(spec=spec, deployment=replace(base, spec=spec, target=target))),
    ):
        for diagnostic in found:
            assert diagnostic.message
            assert diagnostic.code


@pytest.mark.parametrize(("engine", "version"), TARGETS)
def test_no_rule_fails_over_one_odd_value(engine: str, version: str) -> None:
    for name, value in product(NAMES[engine], ODD):
        look(engine, version, {name: value})


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_rule_fails_over_several_odd_values(data: st.DataObject) -> None:
    engine, version = data.draw(st.sampled_from(TARGETS))
    args = data.draw(st.dictionaries(st.sampled_from(NAMES[engine]), st.sampled_from(ODD), max_size=6))
    look(engine, version, args)
