import json

import pytest

from servespec.cli import invoke
from servespec.hardware.catalogue import gpus


def test_every_gpu_of_the_catalogue_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["gpus"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]}
    assert listed == {gpu.name for gpu in gpus() if "-MIG-" not in gpu.name}


def test_words_narrow_the_list_by_name_and_alias(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["gpus", "instinct", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["kind"] for row in rows} == {"rocm"}
    assert "MI300X-192GB" in {row["name"] for row in rows}


def test_a_row_for_programs_has_units_in_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["gpus", "h200-141", "--format", "json"]) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["name"] == "H200-141GB"
    assert row["total_bytes"] == pytest.approx(150_109_880_320, abs=2**20)
    assert row["compute_capability"] == "9.0"


@pytest.mark.parametrize("arguments", [["abacus"], ["--kind", "tpu"], ["--format", "yaml"]])
def test_a_mistake_is_told_in_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["gpus", *arguments]) == 2
    assert capsys.readouterr().err.startswith("servespec: error: ")
