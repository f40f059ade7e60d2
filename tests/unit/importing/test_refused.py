"""Published refusals of flags and values: each is found before anything starts, in the words or in the spec."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from servespec.check import check_file
from servespec.engines.flag_catalogue import known_versions, load, newest
from servespec.importing import import_source, to_yaml
from servespec.spec.loader import load_text

DATA = Path(__file__).resolve().parents[2] / "data" / "flags"
ROWS = [json.loads(line) for line in (DATA / "errors.jsonl").read_text().splitlines()]
OF_THE_PARSER = {
    "unrecognized-flag", "single-dash-typo", "removed-flag", "other-engines-flag", "underscore-not-accepted",
    "flag-too-new", "value-format-changed",
}  # fmt: skip
PROGRAMS = {
    "vllm": "vllm serve org/m",
    "sglang": "python3 -m sglang.launch_server --model-path org/m",
    "tgi": "text-generation-launcher --model-id org/m",
}


def version_of(row: dict[str, Any]) -> str:
    """The version of the report; of one that says none, the newest, or the last that was too old for the flag."""
    if row["engine_version"]:
        return str(row["engine_version"])
    if row["category"] == "flag-too-new":
        flag = next(word for word in row["command"].split() if word.startswith("--"))
        came = load(row["engine"], newest(row["engine"])).history(flag)[0].since
        releases = known_versions(row["engine"])
        return releases[releases.index(came) - 1]
    return newest(row["engine"])


def command_of(row: dict[str, Any]) -> str:
    """The report's command; where it gives only some flags, those of a plain server."""
    flags = re.search(r"(?<!\S)--?[a-z]{2}.*", row["command"].replace("\\\n", " "), re.DOTALL)
    assert flags is not None
    return f"{PROGRAMS[row['engine']]} {flags.group().replace('…', 'x')}"


ROWS_OF_THE_PARSER = [row for row in ROWS if row["category"] in OF_THE_PARSER]


@pytest.mark.parametrize("row", ROWS_OF_THE_PARSER, ids=lambda row: row["id"])
def test_a_flag_that_the_engine_refused_is_told_at_import(row: dict[str, Any]) -> None:
    (spec,) = import_source(command_of(row), engine_version=version_of(row)).specs
    assert any(note.startswith("the engine would refuse this: ") for note in spec.notes)


@pytest.mark.parametrize("row", ROWS_OF_THE_PARSER, ids=lambda row: row["id"])
def test_a_refused_flag_is_an_error_on_its_line_unless_import_has_put_it_right(row: dict[str, Any]) -> None:
    (spec,) = import_source(command_of(row), engine_version=version_of(row)).specs
    text = to_yaml(spec, "x")
    errors = [
        d
        for d in check_file(load_text(text)).diagnostics
        if d.code.startswith("SV20") and d.severity == "error"
    ]
    if row["category"] in ("underscore-not-accepted", "single-dash-typo"):
        assert errors == []  # the right spelling is what will be written
        return
    (error,) = errors
    assert error.span is not None
    assert error.key is not None
    assert error.key.rpartition(".")[2] in text.splitlines()[error.span.line - 1]


@pytest.mark.parametrize(
    ("engine", "version", "args", "code"),
    [
        ("vllm", "0.32.0", {"tp": 2}, "SV201"),
        ("vllm", "0.25.1", {"max_lora_rank": 4}, "SV203"),
        ("vllm", "0.10.0", {"limit_mm_per_prompt": "image=4"}, "SV204"),
        ("vllm", "0.25.1", {"max_num_seqs": "many"}, "SV202"),
        ("vllm", "0.25.1", {"cpu_offload_gb": -1}, "SV205"),
        ("sglang", "0.5.4", {"enable_ep_moe": True}, "SV206"),
        ("sglang", "0.5.23", {"enable_reasoning": True}, "SV201"),
        ("tgi", "3.3.7", {"quantize": "squeezellm"}, "SV203"),
    ],
)
def test_a_wrong_entry_of_args_is_an_error_on_its_line(
    engine: str, version: str, args: dict[str, Any], code: str
) -> None:
    spec = {
        "servespec": "v1",
        "name": "a",
        "model": {"id": "meta-llama/Llama-3.1-8B-Instruct"},
        "hardware": {"gpu": "H100-80GB"},
        "targets": {engine: {"version": version, "args": args}},
    }
    found = [d for d in check_file(load_text(json.dumps(spec, indent=1))).diagnostics if d.code == code]
    assert [(d.key, str(d.severity)) for d in found] == [
        (f"targets.{engine}.args.{next(iter(args))}", "error")
    ]
    assert found[0].span is not None
    assert found[0].span.line > 10
