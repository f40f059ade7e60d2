"""Every example checks, renders, and its artefacts are the committed ones (``make golden`` renews them)."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest
import yaml
from render_cases import COMPOSE

from servespec.api import check
from servespec.report.model import FileReport

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
VERDICTS = {"does-not-fit": "does_not_fit", "tiny-cpu": "unknown"}
"""All others fit. TGI sizes its cache on a CPU by the free memory of the host, which nobody knows before."""


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def report(name: str) -> FileReport:
    return check(f"examples/{name}.yaml").files[0]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_the_verdict_that_it_is_there_for(example: Path) -> None:
    found = report(example.stem)
    assert str(found.verdict) == VERDICTS.get(example.stem, "fits")
    errors = [diagnostic for diagnostic in found.diagnostics if diagnostic.severity == "error"]
    assert bool(errors) == (example.stem == "does-not-fit")


def test_the_one_that_does_not_fit_says_what_is_missing_and_what_to_change() -> None:
    (error,) = (d for d in report("does-not-fit").diagnostics if d.severity == "error")
    # 131,072 tokens × 32 layers × 8 KV heads × 128 × 2 (keys and values) × 2 bytes
    pattern = r"needs 16\.00 GiB of KV cache for one request of 131,072 tokens, [34]\.\d\d GiB are left"
    assert re.search(pattern, error.message)
    assert (error.key, error.span.line if error.span else 0) == ("limits.max_model_len", 10)
    assert error.fix is not None
    assert re.search(r"max_model_len.*\d\d,?\d{3}", error.fix.message)


def test_the_overlay_has_the_bases_model_and_its_own_hardware() -> None:
    (part,) = report("llama-production").targets
    assert part.deployment is not None
    assert part.deployment.model.id.endswith("Llama-3.1-8B-Instruct")
    assert part.deployment.gpu.name.startswith("H100")


@pytest.fixture(scope="module")
def renewal() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_artefacts", ROOT / "scripts/golden_artefacts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_artefacts_are_what_the_examples_mean(renewal: ModuleType) -> None:
    made = renewal.artefacts()
    assert made
    for path, text in made.items():
        assert path.read_text("utf-8") == text, f"{path.relative_to(ROOT)}: run `make golden`"
    assert {path for path in renewal.GOLDEN.rglob("*") if path.is_file()} == set(made)


COMPOSE_FILES = sorted((ROOT / "tests/golden/examples").rglob("*.compose.yaml"))


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: path.stem)
def test_every_compose_file_is_valid_by_the_specifications_schema(path: Path) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))
    COMPOSE.validate(document)
    with pytest.raises(jsonschema.ValidationError):
        COMPOSE.validate(document | {"healthchek": {}})
