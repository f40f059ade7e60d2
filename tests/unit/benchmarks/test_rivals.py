"""The stand-in Hub says of a checkpoint what the inventory says, through the Hub's own client."""

from __future__ import annotations

import ast
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from benchmarks.accuracy import rivals
from benchmarks.accuracy.cases import DATA, load_cases
from benchmarks.accuracy.checkpoints import Repository, repository, tensors
from benchmarks.accuracy.comparison import comparison_table
from benchmarks.accuracy.competition import Entry
from benchmarks.accuracy.figures import NO_ANSWER, Prediction, error
from benchmarks.accuracy.heldout import fitted_rows, gpu, refitted
from benchmarks.accuracy.hub import UNQUANTIZED, Hub, serve
from benchmarks.accuracy.predict import predictions, reports
from servespec.models.build import facts_from_config
from servespec.models.quantization.matching import by_format
from servespec.models.quantization.storage import checkpoint_bytes
from servespec.models.sources import catalogue

CASES = load_cases([DATA / "cases.jsonl"])
SMALL = "Qwen/Qwen3-0.6B"
QUANTIZED = "meta-llama/Meta-Llama-3.1-8B-awq4"


def source(id: str, quantized: bool) -> Repository:
    found = catalogue.read(id)
    if found is None:
        raise KeyError(id)
    return repository(id, found.config, found.hf_quant_config, quantized=quantized)


@pytest.mark.parametrize("model", [SMALL, QUANTIZED, "openai/gpt-oss-20b", "Qwen/Qwen3-30B-A3B-FP8"])
def test_the_header_holds_the_bytes_of_the_inventory_under_distinct_names(model: str) -> None:
    found = catalogue.read(model)
    assert found is not None
    facts = facts_from_config(
        found.config, id=model, source="catalogue", hf_quant_config=found.hf_quant_config
    )
    made = tensors(facts)
    expected = sum(
        checkpoint_bytes(part, stored, facts.dtype)
        for group in facts.tensors
        for part, stored in by_format(facts.quantization, group)
    )
    assert len({tensor.name for tensor in made}) == len(made)
    assert sum(tensor.bytes for tensor in made) == pytest.approx(expected, rel=1e-6)


def test_the_model_before_quantization_has_every_parameter_in_its_own_type() -> None:
    made = source(QUANTIZED, False)
    assert set(made.parameters()) == {"F16"}
    assert sum(made.parameters().values()) == pytest.approx(8.03e9, rel=0.001)
    assert "quantization_config" not in made.config


def test_the_hub_client_reads_the_safetensors_metadata_of_the_stand_in() -> None:
    hub = pytest.importorskip("huggingface_hub")
    made = source(SMALL, True)
    with serve(Hub(source)) as address:
        api = hub.HfApi(endpoint=address)
        info = api.model_info(SMALL, files_metadata=True)
        metadata = api.get_safetensors_metadata(SMALL)
        before = json.load(urllib.request.urlopen(f"{address}{UNQUANTIZED}/api/models/{QUANTIZED}"))
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}/api/models/no/such")
    assert metadata.parameter_count == made.parameters()
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings}
    assert sizes[made.SHARD] == len(made.header()) + sum(tensor.bytes for tensor in made.tensors)
    assert set(before["safetensors"]["parameters"]) == {"F16"}


def test_every_rival_is_pinned_and_has_an_adapter_that_parses() -> None:
    folder = Path(rivals.__file__).parent
    assert len(rivals.RIVALS) == 6
    for rival in rivals.RIVALS:
        assert rival.requirement.endswith(f"=={rival.version}")
        ast.parse((folder / rival.adapter).read_text(encoding="utf-8"))


def test_no_answer_is_an_error_of_one_hundred_percent() -> None:
    case = next(case for case in CASES if case.confidence == "exact")
    assert error(case, Prediction(), "kv_tokens") == NO_ANSWER


def test_a_rival_that_cannot_be_installed_says_so_in_its_rows() -> None:
    cases = [case for case in CASES if (case.engine, case.confidence) == ("vllm", "exact")]
    entry = Entry(rivals.RIVALS[0], {}, "no index is reachable")
    table = comparison_table(cases, {case.id: Prediction() for case in cases}, [entry])
    assert "not run: no index is reachable" in table


def test_every_row_that_a_constant_names_is_a_case() -> None:
    entries = json.loads((DATA / "fitted.json").read_text(encoding="utf-8"))
    known = [*CASES, *load_cases([DATA / "published.jsonl"])]
    for entry in entries:
        for place in entry["where"].split(", "):
            path = place if place.startswith("engines/") else f"engines/sglang/{place}"
            assert (Path(__file__).parents[3] / "servespec" / path).exists(), path
        for prefix in entry["rows"]:
            assert any(case.id.startswith(prefix) for case in known), prefix
    assert 0 < len(fitted_rows(CASES)) < len(CASES)


def test_refitting_without_a_gpu_leaves_its_terms_to_what_the_others_measured() -> None:
    cases = [case for case in CASES if case.id.startswith(("h200-vllm-0.25.1/gpt-oss", "llmd205-0"))]
    found = reports(cases)
    standing = predictions(cases, found)
    again = refitted(cases, standing, found, gpu)
    graphs = next(case.id for case in cases if case.gpu.startswith("H200"))
    # No graph estimate of another GPU is left: nothing is subtracted for it, and more tokens are predicted.
    assert again[graphs].kv_tokens > standing[graphs].kv_tokens
    assert set(again) == {case.id for case in cases}
