"""Flags are held against the exact version; where none is named, a flag of another release is a doubt and no error."""

from __future__ import annotations

import pytest

from servespec.check import check_file
from servespec.diagnostics import Diagnostic, Severity
from servespec.memory.budget import Verdict
from servespec.spec.loader import load_text

SPEC = """\
servespec: v1
name: flags
model: {{id: Qwen/Qwen3-8B}}
hardware: {{gpu: H100-80GB}}
limits: {{max_model_len: 8192}}
targets: {{{engine}: {{{version}args: {{{args}}}}}}}
"""


def check(engine: str, version: str | None, args: str) -> tuple[Verdict, dict[str, Diagnostic]]:
    text = SPEC.format(engine=engine, version=f"version: {version}, " if version else "", args=args)
    report = check_file(load_text(text))
    return report.verdict, {d.code: d for d in report.diagnostics}


def test_a_removed_flag_is_an_error_in_the_version_that_is_named() -> None:
    verdict, found = check("sglang", "0.5.23", "cuda_graph_max_bs: 8")
    assert found["SV201"].severity is Severity.error
    assert "removed in 0.5.20" in found["SV201"].message
    assert verdict is Verdict.invalid


def test_a_removed_flag_is_a_warning_where_no_version_is_named() -> None:
    verdict, found = check("sglang", None, "cuda_graph_max_bs: 8")
    assert found["SV201"].severity is Severity.warning
    assert "no version is named" in found["SV201"].message
    assert verdict is not Verdict.invalid


def test_a_flag_of_no_release_is_an_error_without_a_version_too() -> None:
    assert check("vllm", None, "no_such_flag: 1")[1]["SV201"].severity is Severity.error


@pytest.mark.parametrize(
    ("engine", "version", "args", "code"),
    [
        ("vllm", "0.32.0", "max_num_seqs: many", "SV202"),
        ("vllm", "0.32.0", "kv_cache_dtype: fp9", "SV203"),
        ("vllm", "0.32.0", "speculative_config: '{bad'", "SV204"),
        ("vllm", "0.32.0", "gpu_memory_utilization: 1.5", "SV205"),
        ("vllm", "0.6.3", "tensor_parallel_size: 0", "SV205"),
        ("sglang", "0.4.1", "page_size: 0", "SV201"),
        ("sglang", "0.5.2", "page_size: -1", "SV205"),
        ("sglang", "0.5.23", "tp_size: two", "SV202"),
        ("tgi", "3.3.7", "dtype: float8", "SV203"),
    ],
)
def test_a_value_that_the_parser_refuses_makes_the_target_invalid(
    engine: str, version: str, args: str, code: str
) -> None:
    verdict, found = check(engine, version, args)
    assert found[code].severity is Severity.error
    assert verdict is Verdict.invalid


def test_a_flag_by_its_alias_against_the_spec_key_is_a_conflict() -> None:
    text = SPEC.format(engine="sglang", version="version: 0.5.10, ", args="context-length: 4096")
    found = [d for d in check_file(load_text(text)).diagnostics if d.code == "SV208"]
    assert [d.key for d in found] == ["targets.sglang.args.context-length"]
    assert "limits.max_model_len" in found[0].message


def test_turning_a_flag_around_is_no_rename() -> None:
    found = check("vllm", "0.32.0", "disable_log_requests: true")[1]["SV201"]
    assert found.fix is None or not found.fix.changes


def test_a_number_written_as_a_word_counts_as_the_engine_reads_it() -> None:
    _, found = check("vllm", "0.32.0", "tensor_parallel_size: '5'")
    assert "SV320" in found, "5 does not divide 32 heads"
    assert "SV202" not in found
