"""Edits by keys: comments, order, quotes and anchors stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.diagnostics import Change
from servespec.spec import load_text, locate
from servespec.spec.edits import apply, edits_of, written

TEXT = """\
# the head
servespec: v1
name: "x"  # quoted
model: {id: org/name, revision: main}
hardware:
  # which
  gpu: H100-80GB  # this one
  count: 1

limits:
  max_model_len: 8192

env: {}
kv_cache:
targets:
  vllm:
    args:
      enforce_eager: true
      a.b: 1
"""


def changed(text: str, change: Change) -> str:
    loaded = load_text(text)
    return apply(text, edits_of(change, loaded.nodes, loaded.sources[0]))


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (Change("hardware.gpu", "L4-24GB"), "gpu: H100-80GB  # this one", "gpu: L4-24GB  # this one"),
        (Change("name", "y: z"), 'name: "x"  # quoted', 'name: "y: z"  # quoted'),
        (Change("model.revision", "v1"), "revision: main}", "revision: v1}"),
        (Change("model.dtype", "float16"), "revision: main}", "revision: main, dtype: float16}"),
        (Change("model.adapters.max_rank", 8), "revision: main}", "revision: main, adapters: {max_rank: 8}}"),
        (Change("hardware.nodes", 2), "  count: 1\n", "  count: 1\n  nodes: 2\n"),
        (Change("env.A", True), "env: {}", "env: {A: true}"),
        (Change("kv_cache", None), "kv_cache:\n", "kv_cache: null\n"),
        (Change("hardware.count", remove=True), "  count: 1\n", ""),
        (Change("hardware.gpu", remove=True), "  gpu: H100-80GB  # this one\n", ""),
        (Change("model.revision", remove=True), "{id: org/name, revision: main}", "{id: org/name}"),
        (Change("model.id", remove=True), "{id: org/name, revision: main}", "{revision: main}"),
        (
            Change("limits.max_model_len", rename="max_input_tokens"),
            "  max_model_len: 8192",
            "  max_input_tokens: 8192",
        ),
        (Change("targets.vllm.args.a.b", 2), "a.b: 1", "a.b: 2"),
        (Change("targets.vllm.args.a.b", remove=True), "      a.b: 1\n", ""),
        (
            Change("targets.tgi.version", "3.3.7"),
            "      a.b: 1\n",
            '      a.b: 1\n  tgi:\n    version: "3.3.7"\n',
        ),
        (Change("server.port", 80), "      a.b: 1\n", "      a.b: 1\nserver:\n  port: 80\n"),
    ],
)
def test_a_change_touches_nothing_but_its_key(change: Change, old: str, new: str) -> None:
    assert changed(TEXT, change) == TEXT.replace(old, new)


def test_a_change_of_an_absent_key_is_what_a_second_reading_finds() -> None:
    after = changed(TEXT.rstrip("\n"), Change("server.served_model_name", "yes"))
    place = locate(load_text(after).nodes, "server.served_model_name")
    assert place is not None
    assert place.exact
    assert place.value.value == "yes"  # type: ignore[union-attr]


def test_what_stands_in_a_base_or_behind_an_alias_is_left_alone() -> None:
    text = "a: &x {b: 1}\nc: *x\nd: {<<: *x}\n"
    assert changed(text, Change("c.e", 1)) == text
    assert changed(text, Change("c", 3)) == text


def test_line_ends_stay_as_they_are() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert changed(text, Change("hardware.nodes", 2)) == text.replace(
        "count: 1\r\n", "count: 1\r\n  nodes: 2\r\n"
    )


@given(
    st.one_of(
        st.text(),
        st.integers(-(10**15), 10**15),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_every_scalar_is_read_back_as_it_was_written(value: str | int | float | bool) -> None:
    loaded = load_text(f"a: {written(value)}\n")
    if isinstance(value, str) and any(ord(c) > 0xD7FF and ord(c) < 0xE000 for c in value):
        return
    place = locate(loaded.nodes, "a")
    assert place is not None
    assert place.value.value == value  # type: ignore[union-attr]
