"""What people published, row by row: every source becomes a spec that reads, with flags that its engine takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lowering_cases import LLAMA, deploy

from servespec.check import check_file
from servespec.diagnostics import Severity
from servespec.engines import get_engine
from servespec.engines.flag_catalogue import load
from servespec.importing import import_source, to_yaml
from servespec.spec.loader import load_text

DATA = Path(__file__).resolve().parents[2] / "data" / "flags"
ROWS = [json.loads(line) for line in (DATA / "commands.jsonl").read_text().splitlines()]
# The version of these rows was known from elsewhere in their repositories; the text has none to read.
VERSION_ELSEWHERE = {"c-affa96e0e8", "c-9bfa0a9d89", "c-7ca8285afa"}
# Two copies of four-GPU ranks (data parallel): eight GPUs, not the four of the row.
OTHER_COUNT = {"c-2c679ed837", "c-f53f857dbe"}
# The launcher of TGI's TensorRT-LLM image is another program, with flags that no catalogue here has.
OTHER_PROGRAM = {"c-1b50846197"}


def first(row: dict[str, Any]) -> tuple[Any, str]:
    spec = import_source(row["text"]).specs[0]
    return spec, to_yaml(spec, row["source"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_published_source_becomes_a_spec_of_its_engine_and_version(row: dict[str, Any]) -> None:
    spec, text = first(row)
    loaded = load_text(text)
    assert loaded.spec is not None, loaded.diagnostics
    assert spec.engine == row["engine"]
    if row["engine_version"] and row["id"] not in VERSION_ELSEWHERE:
        assert spec.version == row["engine_version"]
    hardware = loaded.spec.hardware
    if row["gpu_count"] and row["id"] not in OTHER_COUNT:
        assert row["gpu_count"] in (hardware.count, hardware.count * hardware.nodes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_no_flag_of_a_command_that_works_is_called_wrong(row: dict[str, Any]) -> None:
    spec, text = first(row)
    diagnostics = check_file(load_text(text)).diagnostics
    assert [d for d in diagnostics if d.code.startswith("SV20") and d.severity is Severity.error] == []
    assert [note for note in spec.notes if note.startswith("the engine would refuse")] == []
    told = [note for note in spec.notes if "another program's" in note]
    assert bool(told) is (row["id"] in OTHER_PROGRAM)


@pytest.mark.parametrize("row", [row for row in ROWS if row["engine_version"]], ids=lambda row: row["id"])
def test_what_is_rendered_of_an_import_is_a_command_of_that_version(row: dict[str, Any]) -> None:
    """With a model that is known here in the place of the published one: the flags are what is held."""
    spec, _ = first(row)
    data = {**spec.data, "model": {"id": LLAMA}, "hardware": {"gpu": "H100-80GB", "count": 16}}
    sections = {key: value for key, value in data.items() if key not in ("servespec", "name", "targets")}
    launch = get_engine(spec.engine).lower(deploy(spec.engine, **sections, targets=data["targets"]))
    assert load(spec.engine, spec.version).parse(launch.flags).errors == ()
