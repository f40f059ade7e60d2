"""Rows become calibrations, and calibrations mend predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from servespec.api import load, resolve
from servespec.calibration.checkpoint import byte_alphabet, write_checkpoint
from servespec.calibration.derive import derive
from servespec.calibration.model import RESIDUAL, CalibratedTerm, Calibration, Conditions
from servespec.calibration.rows import Row, read_rows
from servespec.calibration.session import Session, default_specs, summary
from servespec.calibration.store import FOLDER, find_calibration, load_calibration, save_calibration
from servespec.engines import get_engine
from servespec.errors import SourceError

SPEC = """\
servespec: v1
name: calibrated
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H200-141GB}
limits: {max_model_len: 8192}
targets: {vllm: {version: 0.25.1, args: {enforce_eager: true}}}
"""
EAGER = Conditions(eager=True, tensor_parallel=1)


def row(name: str, offset: int, *, kv_offset: int | None = None, outcome: str = "started") -> Row:
    predicted = {"weights_bytes": 1000, "activation_bytes": 500, "kv_cache_bytes": 9000}
    measured = {
        "outcome": outcome,
        "weights_bytes": 1000,
        "activation_bytes": 500 + offset,
        "kv_cache_bytes": 9000 - (offset if kv_offset is None else kv_offset),
    }
    return Row(
        id=name, engine="vllm", version="0.25.1", gpu="H200-141GB", spec={}, predicted=predicted,
        measured=measured, eager=True, tensor_parallel=1,
    )  # fmt: skip


def term(calibration: Calibration, name: str) -> CalibratedTerm:
    found = calibration.term(name, EAGER)
    assert found is not None
    return found


def test_a_terms_correction_is_the_median_of_measured_less_predicted() -> None:
    (calibration,) = derive([row("a", 10), row("b", 30), row("c", 20)], "lab")
    assert term(calibration, "activation_bytes").offset_bytes == 20
    assert term(calibration, "activation_bytes").spread_bytes == 10
    assert term(calibration, RESIDUAL).offset_bytes == 0


def test_what_no_term_explains_is_the_residual() -> None:
    (calibration,) = derive([row("a", 10, kv_offset=17)], "lab")
    assert term(calibration, RESIDUAL).offset_bytes == 7


def test_starts_that_failed_teach_nothing() -> None:
    assert derive([row("a", 10, outcome="oom")], "lab") == ()


def test_rows_survive_writing_and_reading_and_an_unfinished_last_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(row("a", 1).as_json() + "\n" + row("b", 2).as_json()[:40], encoding="utf-8")
    assert read_rows(file) == (row("a", 1),)


def test_a_line_that_is_no_row_is_told_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": "a"}\n' + row("b", 2).as_json() + "\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"rows.jsonl:1 is no row"):
        read_rows(file)


def test_a_calibration_beside_the_spec_is_found_used_and_named(tmp_path: Path) -> None:
    spec = tmp_path / "team" / "spec.yaml"
    spec.parent.mkdir()
    spec.write_text(SPEC, encoding="utf-8")
    loaded = load(spec)
    assert loaded.spec is not None
    engine = get_engine("vllm")
    before = engine.budget(resolve(loaded.spec, "vllm", loaded.directory))
    (calibration,) = derive([row("a", 1 << 30), row("b", 1 << 30), row("c", 1 << 30)], "lab")
    save_calibration([calibration], tmp_path / FOLDER / "lab.json")
    deployment = resolve(loaded.spec, "vllm", loaded.directory)
    after = engine.budget(deployment)
    assert deployment.calibration == calibration
    assert after.activation.size_bytes == before.activation.size_bytes + (1 << 30)
    assert after.kv_cache_bytes == before.kv_cache_bytes - (1 << 30)
    assert after.kv_tokens < before.kv_tokens
    assert after.calibration == "lab"
    assert "calibration lab (3 starts)" in after.activation.source
    terms = sum(each.size_bytes for each in after.terms)
    assert terms + after.kv_cache_bytes == after.budget_bytes


def test_a_calibration_of_another_gpu_version_or_mode_is_not_used(tmp_path: Path) -> None:
    (calibration,) = derive([row("a", 1 << 30)], "lab")
    save_calibration([replace(calibration, gpu="H100-80GB")], tmp_path / FOLDER / "lab.json")
    assert find_calibration(tmp_path, "vllm", "0.25.1", "H200-141GB") is None
    assert find_calibration(tmp_path, "vllm", "0.25.1", "H100-80GB") is not None
    assert calibration.term("activation_bytes", Conditions(eager=False, tensor_parallel=1)) is None


def test_a_file_that_is_no_calibration_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    for text in ("", "[]", '{"schema": "other"}', '{"schema": "calibration.v1", "calibrations": [1]}'):
        file = tmp_path / "x.json"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(SourceError, match="no calibration"):
            load_calibration(file)


def test_the_stand_in_tokenizer_writes_every_byte(tmp_path: Path) -> None:
    folder = write_checkpoint({"model_type": "llama"}, tmp_path / "m", {"quantization": {}})
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert len(set(byte_alphabet())) == 256
    assert len(vocabulary) == 257
    assert (folder / "hf_quant_config.json").exists()


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_the_default_shapes_are_predicted_to_fit_an_h200(engine: str, tmp_path: Path) -> None:
    session = Session(
        engine=engine, specs=default_specs(engine), rows=tmp_path / "rows.jsonl", gpu="H200-141GB"
    )
    predictions = [json.loads(line) for line in session.predictions()]
    assert len(predictions) >= 5
    assert all(each["predicted"]["verdict"] in ("fits", "tight") for each in predictions)


def test_the_summary_tells_predicted_and_measured_tokens() -> None:
    seen = replace(
        row("a", 0), predicted={"kv_tokens": 101}, measured={"outcome": "started", "kv_tokens": 100}
    )
    assert "KV tokens 100 (predicted 101, +1.000%)" in summary(seen)
