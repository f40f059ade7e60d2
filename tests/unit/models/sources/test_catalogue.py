"""The catalogue: every configuration yields facts, and counts agree with what was published."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servespec.errors import UnknownModelError, UnmodelledError
from servespec.models import find
from servespec.models.facts import ModelFacts
from servespec.models.sources import catalogue
from servespec.spec.model import Model

ROOT = Path(__file__).parents[4]
ROWS = json.loads((ROOT / "tests" / "data" / "models" / "parameters.json").read_text())


def facts(model: str) -> ModelFacts:
    return find(Model(id=model), Path())


@pytest.mark.parametrize("model", sorted(ROWS))
def test_the_inventory_has_exactly_the_parameters_that_the_checkpoint_has(model: str) -> None:
    row = ROWS[model]
    counted = facts(model).parameters
    if "safetensors metadata" in row["from"] and row["counted"] == row["published"]:
        assert counted == row["published"]
    else:  # published as a rounded figure, or as bytes on disk
        assert counted == pytest.approx(row["counted"], rel=1e-5)


@pytest.mark.parametrize("model", catalogue.ids())
def test_every_configuration_of_the_catalogue_yields_facts(model: str) -> None:
    found = facts(model)
    assert found.parameters > 0
    assert found.kv
    assert found.context_tokens > 0
    layers = {layer for keep in found.kv for layer in keep.layers}
    assert all(
        0 <= layer < found.layers for keep in found.kv if keep.part == "decoder" for layer in keep.layers
    )
    assert layers
    for group in found.tensors:
        assert all(size > 0 for size in group.shape), group
        assert group.split != "heads" or group.heads > 0, group
        if group.part == "decoder":
            assert all(0 <= layer < found.layers for layer in group.layers), group


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Meta-Llama-3.1-8B"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "meta-llama/Meta-Llama-3-8B"),
        ("unsloth/Llama-3.3-70B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"),
        ("qwen/qwen3-8b", "Qwen/Qwen3-8B"),
        ("google/gemma-3-27b-pt", "google/gemma-3-27b-it"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-ai/DeepSeek-R1"),
    ],
)
def test_variants_of_equal_shape_are_found_under_the_same_entry(model: str, known: str) -> None:
    assert catalogue.resolve(model) == known


@pytest.mark.parametrize(
    "model",
    [
        "meta-llama/Llama-3.1-8B-Instruct-AWQ",
        "someone/Llama-3.1-8B-Instruct",
        "Qwen/Qwen3-30B-A3B-2509",
        "x",
    ],
)
def test_what_may_have_other_shapes_is_not_taken_for_a_known_model(model: str) -> None:
    assert catalogue.resolve(model) is None


def test_an_unknown_model_names_the_nearest_and_says_how_to_give_its_facts() -> None:
    with pytest.raises(UnknownModelError) as error:
        facts("meta-llama/Llama-3.1-9B-Instruct")
    message = str(error.value)
    assert "nearest: meta-llama/Llama-3.1-8B-Instruct" in message
    assert "model.config" in message
    assert "--online" in message


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("meta-llama/Llama-3.1-8B-Instuct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("meta-lama/Llama-3.1-70B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"),
        ("deepseek-ai/DeepSeek-R1-Distil-Llama-8B", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"),
        ("Qwen/Qwen3-8", "Qwen/Qwen3-8B"),
    ],
)
def test_the_nearest_of_a_mistyped_id_is_the_one_meant_also_where_it_is_an_alias(
    mistyped: str, meant: str
) -> None:
    assert catalogue.nearest(mistyped)[0] == meant
    assert catalogue.resolve(meant) is not None


def test_an_architecture_without_a_family_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"architectures": ["FooForCausalLM"], "model_type": "foo"}')
    with pytest.raises(UnmodelledError, match="architecture FooForCausalLM"):
        find(Model(id="foo/bar", config="config.json"), tmp_path)


def test_the_index_of_families_is_fresh() -> None:
    script = ROOT / "scripts" / "models" / "index.py"
    program = f"import runpy; print(runpy.run_path({str(script)!r})['index'](), end='')"
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == (ROOT / "servespec" / "models" / "families" / "index.json").read_text()
    assert "LlamaForCausalLM" in json.loads(shown.stdout)["architectures"]


def test_finding_a_model_is_quick_and_imports_only_its_family() -> None:
    program = (
        "import sys, time; from pathlib import Path; from servespec.spec.model import Model; "
        "model = Model(id='Qwen/Qwen3-8B'); start = time.perf_counter(); from servespec.models import find; "
        "find(model, Path()); print(time.perf_counter() - start, "
        "*sorted(m for m in sys.modules if m.startswith(('servespec.models.families.', 'huggingface_hub', 'httpx'))))"
    )
    best = 1.0
    for _ in range(3):
        shown = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
        seconds, *modules = shown.stdout.split()
        best = min(best, float(seconds))
        assert not [name for name in modules if name.startswith(("huggingface_hub", "httpx"))]
        assert "servespec.models.families.mixtral" not in modules
        time.sleep(0.01)
    assert best < 0.25  # imports included; bytecode may have to be compiled on a busy machine
