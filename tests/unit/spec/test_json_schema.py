"""The published schema: fresh, valid draft-07, and of one mind with the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from servespec.schemas import report_text, spec_text
from servespec.spec import load_text
from servespec.spec.model import Spec

SCHEMA = Path(__file__).parents[3] / "schema"
GOOD: dict[str, Any] = {
    "servespec": "v1",
    "name": "small",
    "model": {"id": "org/name"},
    "hardware": {"gpu": "cpu"},
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    schema = json.loads(spec_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize(
    ("name", "text"), [("servespec.v1.json", spec_text()), ("report.v1.json", report_text())]
)
def test_the_committed_schema_is_fresh(name: str, text: str) -> None:
    assert (SCHEMA / name).read_text(encoding="utf-8") == text, "run `make golden`"


def test_the_schema_of_reports_is_valid_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(json.loads(report_text()))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"limits": None},
        {"limits": {"max_model_len": None, "gpu_memory_fraction": 0.9}},
        {"targets": {"vllm": {"version": "0.25.1", "args": {"enforce_eager": True, "x": [1, {"a": None}]}}}},
        {"targets": {"vllm": None}},
        {"env": {"A": "${A}", "B": 1, "C": True, "D": None}},
        {"model": {"id": "./m", "dtype": None}},
        {"smoke": {"prompts": ["a", "b"], "streaming": None}},
        {"parallel": {"expert": True, "tensor": 2}},
        {"speculative": {"method": "ngram", "tokens": 4}},
        {"limits": {"max_model_len": 0}},
        {"limits": {"max_model_len": "8192"}},
        {"limits": {"max_modl_len": 1}},
        {"limits": {"gpu_memory_fraction": 1.5}},
        {"model": {"id": ""}},
        {"model": {}},
        {"hardware": {"count": 1}},
        {"targets": {"vlm": {}}},
        {"targets": {"vllm": {"arg": {}}}},
        {"env": {"A B": "x"}},
        {"env": {"A": [1]}},
        {"speculative": {"method": "ngram"}},
        {"servespec": "v2"},
        {"name": "-x"},
        {"server": {"port": 65536}},
        {"kv_cache": {"prefix_caching": "yes"}},
    ],
)
def test_schema_and_models_agree_on_what_is_valid(
    validator: jsonschema.Draft7Validator, change: dict[str, Any]
) -> None:
    data = {**GOOD, **change}
    assert validator.is_valid(data) is (load_text(json.dumps(data)).spec is not None)


def test_an_overlay_needs_none_of_the_required_keys(validator: jsonschema.Draft7Validator) -> None:
    assert validator.is_valid({"servespec": "v1", "extends": "./base.yaml", "model": {"revision": "main"}})
    assert not validator.is_valid({"servespec": "v1", "model": {"revision": "main"}})


def test_every_key_is_explained() -> None:
    schema = json.loads(spec_text())
    sections = [schema, *schema["definitions"].values()]
    for section in sections:
        assert section["additionalProperties"] is False
        for name, field in section["properties"].items():
            assert field["description"], name
    assert set(schema["properties"]) == set(Spec.model_fields)
