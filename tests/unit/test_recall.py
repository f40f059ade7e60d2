"""Checked together or alone, a spec has the same report: what is recalled rests on all that was read."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servespec.check import check_file, check_files
from servespec.recall import MOST_VALUES, Recall, Same, by_identity, text_of
from servespec.spec.loader import LoadedSpec, load, load_text
from servespec.spec.model import Spec

ROOT = Path(__file__).parents[2]
TEXT = """\
servespec: v1
name: {name}
model: {{id: meta-llama/Llama-3.1-8B-Instruct}}
hardware: {{gpu: {gpu}}}
limits: {{max_model_len: {length}}}
server: {{port: {port}}}
targets:
  vllm: {{version: 0.25.1, args: {{{args}}}}}
  sglang: {{version: 0.5.17}}
"""
USUAL = {"name": "a", "gpu": "H100-80GB", "length": "8192", "port": "8000", "args": ""}


def spec(**fields: Any) -> Spec:
    base = {"servespec": "v1", "name": "a", "model": {"id": "org/model"}, "hardware": {"gpu": "L4-24GB"}}
    return Spec.model_validate({**base, **fields})


class Asked:
    """A question that counts how often it had to be worked out."""

    def __init__(self, question: Callable[[Spec], object]) -> None:
        self.times = 0
        self.question = question

    def __call__(self, of: Spec) -> object:
        self.times += 1
        return self.question(of)


def answers(question: Callable[[Spec], object], *specs: Spec) -> tuple[list[object], int]:
    """The recalled answers, which must be those that each spec has by itself, and how often was worked."""
    recall, asked = Recall(), Asked(question)
    found = [recall.ask("it", one, asked) for one in specs]
    assert found == [question(one) for one in specs]
    return found, asked.times


def test_what_is_not_read_makes_no_difference() -> None:
    specs = [spec(name=f"s{n}", server={"port": 8000 + n}) for n in range(5)]
    assert answers(lambda s: (s.limits.max_model_len, s.hardware.gpu), *specs)[1] == 1


@pytest.mark.parametrize(
    "question",
    [
        lambda s: s.limits.max_model_len,
        lambda s: s.workload is None,
        lambda s: s.workload.input_tokens if s.workload else 0,
        lambda s: dict(s.env),
        lambda s: {name: repr(value) for name, value in s.env.items()},
        lambda s: sorted(s.model_fields_set),
        lambda s: s.limits.model_copy().max_model_len,
        lambda s: s.limits == spec().limits,
        lambda s: hash(s.limits),
        lambda s: sorted(s.targets),
        lambda s: s.targets["vllm"].version if "vllm" in s.targets else None,
        lambda s: [repr(target.args) for target in s.targets.values()],
    ],
)
def test_what_is_read_makes_one(question: Callable[[Spec], object]) -> None:
    different = [
        spec(),
        spec(limits={"max_model_len": 1}),
        spec(limits={}),
        spec(workload={}),
        spec(workload={"input_tokens": 7}),
        spec(env={"A": "1"}),
        spec(env={"A": 1}),
        spec(env={"A": True}),
        spec(env={"A": 1.0}),
        spec(targets={"vllm": {}}),
        spec(targets={"vllm": {"version": "0.25.1"}}),
        spec(targets={"vllm": {"args": {"a": 1}}}),
        spec(targets={"vllm": {"args": {"a": True}}}),
        spec(targets={"sglang": {"args": {"a": True}}}),
    ]
    answers(question, *different, *reversed(different))


def test_the_target_in_question_is_told_of_by_all_that_it_says() -> None:
    said = [
        spec(targets={"vllm": target})
        for target in (
            {},
            {"args": {"a": 1}},
            {"args": {"a": True}},
            {"args": {"a": 1.0}},
            {"image": "a/b:1"},
        )
    ]
    assert len({text_of(one.targets["vllm"]) for one in said} | {text_of(None)}) == len(said) + 1


def test_facts_are_the_same_by_identity_alone() -> None:
    one, other = [1], [1]
    assert Same(one) == Same(one)
    assert Same(one) != Same(other)


def test_equal_values_that_are_not_the_same_are_worked_out_each_by_itself() -> None:
    asked: list[list[int]] = []

    @by_identity
    def length(value: list[int]) -> int:
        asked.append(value)
        return len(value)

    values = [[1] for _ in range(MOST_VALUES + 10)]
    assert [length(value) for value in [*values, *values[-5:]]] == [1] * (len(values) + 5)
    assert len(asked) == len(values)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "b"),
        ("port", "9000"),
        ("length", "16384"),
        ("length", "131073"),
        ("length", "100000000"),
        ("gpu", "L4-24GB"),
        ("args", "enforce_eager: true"),
        ("args", "enforce_eager: 1"),
        ("args", "no_such_flag: 1"),
        ("args", "max_num_seqs: 0"),
    ],
)
def test_one_change_between_neighbours_is_seen(field: str, value: str) -> None:
    texts = [TEXT.format(**USUAL), TEXT.format(**{**USUAL, field: value}), TEXT.format(**USUAL)]
    assert_alone_as_together([load_text(text, f"{n}.yaml") for n, text in enumerate(texts)])


def test_every_example_has_the_report_that_it_has_alone() -> None:
    paths = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "tests" / "examples").rglob("bad*.yaml")])
    assert len(paths) > 50
    random.Random(7).shuffle(paths)
    assert_alone_as_together([load(path) for path in [*paths[:60], *paths[:60:3]]])


def assert_alone_as_together(loaded: list[LoadedSpec]) -> None:
    together = check_files(loaded).files
    for one, report in zip(loaded, together, strict=True):
        assert report == check_file(one)
        specs = [target.deployment.spec for target in report.targets if target.deployment is not None]
        assert all(type(held) is Spec and held.name == report.name for held in specs)
