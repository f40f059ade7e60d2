"""Hostile and random specs: no exception, no hang, no secret shown, whatever the text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fuzzing import fuzz, watched
from hypothesis import strategies as st
from surviving import BASE, survives

from servespec.report import format_names, write


@fuzz(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    survives(data)


@fuzz(st.text(max_size=400))
def test_any_text(text: str) -> None:
    survives(text)


YAML_PIECES = st.sampled_from(
    ["- ", "? ", ": ", "{", "}", "[", "]", ",", "&a ", "*a", "!x ", "!!int ", "|\n", ">-\n", "'", '"', "#", "<<: ", "---\n", "...\n",
     "%YAML 1.1\n", "\t", "\n", "  ", "null", "~", "yes", ".nan", "-.inf", "1e999", "0x1f", "0o17", "9" * 50, "a", "é", "\x85", "\u2028", "🙂"]
)  # fmt: skip


@fuzz(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_any_sequence_of_yaml_tokens(text: str) -> None:
    survives(text)


@fuzz(
    st.lists(
        st.tuples(st.integers(0, len(BASE)), st.integers(0, 12), st.one_of(YAML_PIECES, st.text(max_size=5))),
        max_size=4,
    )
)
def test_a_good_spec_with_random_damage(damage: list[tuple[int, int, str]]) -> None:
    text = BASE
    for position, length, piece in damage:
        text = text[:position] + piece + text[position + length :]
    survives(text)


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [
            0,
            1,
            2,
            3,
            7,
            8,
            16,
            100,
            1000,
            8192,
            131072,
            10**7,
            2**31,
            2**53,
            -1,
            0.0,
            0.5,
            0.9,
            1.0,
            1e-9,
            1e9,
        ]
    ),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            "auto",
            "fp8",
            "awq",
            "gptq",
            "bfloat16",
            "eagle",
            "mtp",
            "ngram",
            "",
            "../..",
            "/etc/passwd",
            "$(id)",
            "0.25.1",
            "99.0",
            "x" * 200,
        ]
    ),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = {
    "model": ["id", "revision", "config", "dtype", "quantization", "trust_remote_code", "adapters"],
    "hardware": ["gpu", "count", "nodes", "memory_gib", "reserved_gib"],
    "limits": ["max_model_len", "max_input_tokens", "max_concurrent_requests", "max_batched_tokens", "gpu_memory_fraction"],
    "parallel": ["tensor", "pipeline", "data", "expert"],
    "kv_cache": ["dtype", "prefix_caching", "block_size", "cpu_offload_gib", "space_gib"],
    "speculative": ["method", "tokens", "model", "config"],
    "workload": ["input_tokens", "output_tokens", "concurrency", "shared_prefix_tokens", "requests_per_second"],
    "server": ["host", "port", "served_model_name", "api_key_env"],
}  # fmt: skip
ARGUMENTS = ["max_model_len", "tensor_parallel_size", "tp_size", "max_num_seqs", "kv_cache_dtype", "speculative_config", "mem_fraction_static",
             "gpu_memory_utilization", "max_total_tokens", "num_shard", "cuda_graph_max_bs", "compilation_config", "block_size", "nonsense"]  # fmt: skip


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    data: dict[str, Any] = {
        "servespec": "v1",
        "name": "fuzz",
        "model": {"id": draw(st.sampled_from(["meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3"]))},
        "hardware": {"gpu": draw(st.sampled_from(["H100-80GB", "L4-24GB", "cpu", "A100-80GB", "MI300X"]))},
    }  # fmt: skip
    for section, names in FIELDS.items():
        for name in draw(st.lists(st.sampled_from(names), max_size=2)):
            data.setdefault(section, {})[name] = draw(SCALARS if draw(st.booleans()) else VALUES)
    versions = {
        "vllm": ["0.6.3", "0.8.5", "0.25.1", None],
        "sglang": ["0.4.6", "0.5.17", None],
        "tgi": ["2.4.0", "3.3.7", None],
    }
    engines = draw(st.lists(st.sampled_from(sorted(versions)), unique=True, max_size=2))
    data["targets"] = {
        engine: {
            "version": draw(st.sampled_from(versions[engine])),
            "args": draw(st.dictionaries(st.sampled_from(ARGUMENTS), VALUES, max_size=2)),
        }
        for engine in engines
    }
    return data


@fuzz(specs())
def test_random_values_under_real_keys(data: dict[str, Any]) -> None:
    survives(json.dumps(data))


@fuzz(st.text("abcdefghijklmnopqrstuvwxyz0123456789ABCDEF", min_size=12, max_size=30).map("Zq9{}".format), st.sampled_from(["env", "targets.vllm.env", "targets.vllm.args"]),
       st.sampled_from(["HF_TOKEN", "api_key", "MY_SECRET", "DB_PASSWORD"]), st.sampled_from(["{v}", "'{v}'", '"{v}"', "[{v}]", "&a {v}", "!!str {v}", "|\n        {v}\n", "|\n   {v}\n"]))  # fmt: skip
def test_a_secret_is_never_shown(secret: str, where: str, name: str, form: str) -> None:
    head = (
        "servespec: v1\nname: x\nmodel: {id: meta-llama/Llama-3.1-8B-Instruct}\nhardware: {gpu: H100-80GB}\n"
    )
    lines = "".join(f"{' ' * depth}{part}:\n" for depth, part in enumerate(where.split(".")))
    text = f"{head}{lines}   {name}: {form.format(v=secret)}\n"
    report = survives(text)
    assert report.exit_code() == 1
    for format_name in format_names():
        assert secret not in write(report, format_name)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "[" * n,
        lambda n: "{" * n,
        lambda n: "{a: " * n,
        lambda n: "- " * n,
        lambda n: "? " * n,
        lambda n: "a: " * n,
        lambda n: "!<" * n,
        lambda n: "'" * n,
        lambda n: '"' + "\\u0041" * n,
        lambda n: "&" * n,
        lambda n: "*a " * n,
        lambda n: "a: &a\n" * n,
        lambda n: "<<: [" * n,
        lambda n: "|" * n,
        lambda n: "a: |\n" + " x\n" * n,
        lambda n: ":" * n,
        lambda n: "#" * n,
        lambda n: "# x\n" * n,
        lambda n: "a" * n,
        lambda n: "9" * n,
        lambda n: "\n" * n,
        lambda n: "---\n" * n,
        lambda n: "%TAG ! x\n" * n,
        lambda n: BASE + "env: {A: " + "9" * n + "}",
        lambda n: BASE + "x: [" + "1, " * n + "]",
        lambda n: BASE + "\n".join(f"k{i}: 1" for i in range(n // 8)),
        lambda n: BASE + "z: &z {" + ", ".join(f"k{i}: 1" for i in range(2000)) + "}\n" + "".join(f"y{i}: {{<<: *z}}\n" for i in range(n // 20)),
        lambda n: "servespec: v1\nname: " + "${" * n,
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1_000, 100_000])
def test_repetition_ends_in_time(make: Callable[[int], str], size: int) -> None:
    with watched("test_repetition_ends_in_time"):
        survives(make(size))
