"""The keys around a cursor, in texts that are being typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("lsprotocol")

from servespec.lsp.context import context_at, key_at
from servespec.lsp.positions import column, units


def at(text: str) -> tuple[list[str], int, int]:
    """Lines and place of the cursor, which the text marks with |."""
    lines = text.split("\n")
    line = next(number for number, one in enumerate(lines) if "|" in one)
    place = lines[line].index("|")
    lines[line] = lines[line].replace("|", "")
    return lines, line, place


@pytest.mark.parametrize(
    ("text", "path", "key", "typed"),
    [
        ("lim|", (), None, "lim"),
        ("limits:\n  max_|", ("limits",), None, "max_"),
        ("limits:\n  max_model_len: 81|", ("limits",), "max_model_len", "81"),
        ("targets:\n  vllm:\n    args:\n      |", ("targets", "vllm", "args"), None, ""),
        ("targets:\n  vllm:\n    version: 0.3|\n", ("targets", "vllm"), "version", "0.3"),
        ("targets:\n  tgi: {}\n  vllm:\n    # comment\n\n    ar|", ("targets", "vllm"), None, "ar"),
        ("parallel: {te|", ("parallel",), None, "te"),
        ("parallel: {tensor: 2, pi|", ("parallel",), None, "pi"),
        ("parallel: {tensor: |", ("parallel",), "tensor", ""),
        ("targets: {vllm: {args: {enf|", ("targets", "vllm", "args"), None, "enf"),
        ("targets:\n  vllm: {version: 0.32.0, args: {enf|", ("targets", "vllm", "args"), None, "enf"),
        ("limits: {max_model_len: 1}\nkv_cache:\n  d|", ("kv_cache",), None, "d"),
    ],
)
def test_the_path_is_that_of_the_indentation_or_braces(
    text: str, path: tuple[str, ...], key: str | None, typed: str
) -> None:
    found = context_at(*at(text))
    assert (found.path, found.key, found.typed) == (path, key, typed)


def test_keys_that_are_there_are_known() -> None:
    assert context_at(
        *at("limits:\n  max_model_len: 1\n  |\n  max_batched_tokens: 2\nserver:\n  port: 1")
    ).present == {
        "max_model_len",
        "max_batched_tokens",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limits:\n  max|_model_len: 8192", "limits.max_model_len"),
        ("limits:\n  max_model_len: 81|92", "limits.max_model_len"),
        ("lim|its:\n  max_model_len: 8192", "limits"),
        ("parallel: {tensor: 2, pipe|line: 1}", "parallel.pipeline"),
        ("# a com|ment", None),
        ("limits:\n|\n", None),
    ],
)
def test_the_key_under_the_cursor_is_found(text: str, expected: str | None) -> None:
    assert key_at(*at(text)) == expected


@given(st.lists(st.text(alphabet="ab:{}, #\"'-\t𝔘", max_size=30), min_size=1, max_size=6), st.data())
def test_no_text_and_no_place_raises(lines: list[str], data: st.DataObject) -> None:
    line = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[line])))
    context_at(lines, line, place)
    key_at(lines, line, place)


@given(st.text(max_size=40), st.data())
def test_places_in_utf16_lead_back_to_the_same_letter(text: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(text)))
    assert column(text, units(text[:index])) == index
    assert units(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2
