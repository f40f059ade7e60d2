"""The command: prices, the winner as a file, and mistakes told plainly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servespec.cli import invoke

SPEC = """\
servespec: v1
name: chat
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
workload: {input_tokens: 512, output_tokens: 128, requests_per_second: 20}
targets:
  vllm: {version: 0.25.1, args: {enable_prefix_caching: true}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "chat.yaml"
    path.write_text(SPEC, "utf-8")
    return path


def answers(spec: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, object]:
    assert invoke(["plan", str(spec), "--format", "json", *more]) == 0
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, dict)
    return document


def test_with_prices_the_cheapest_wins_however_many_gpus_it_takes(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = spec.with_name("prices.yaml")
    prices.write_text("currency: EUR\ngpus: {H100: 100, L40S: 0.5}\n", "utf-8")
    document = answers(spec, capsys, "--prices", str(prices))
    found = document["answers"]
    assert isinstance(found, list)
    assert found[0]["gpu"] == "L40S-48GB"
    assert found[0]["price_per_hour"] == found[0]["gpus"] * 0.5
    assert {answer["gpu"] for answer in found} == {"L40S-48GB", "H100-80GB"}  # fewer GPUs, at a price


def test_more_requests_never_need_fewer_gpus(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needed = []
    for rate in (1, 20, 80, 320):
        spec.write_text(SPEC.replace("second: 20", f"second: {rate}"), "utf-8")
        document = answers(spec, capsys, "--gpus", "H100")
        (best,) = document["answers"]  # type: ignore[misc]
        needed.append(best["gpus"])
        assert best["estimate"]["slow"]["itl_seconds"] > best["estimate"]["fast"]["itl_seconds"]
    assert needed == sorted(needed)
    assert needed[0] < needed[-1]


def test_text_is_a_table_as_wide_as_its_content_and_lines_of_80_columns(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["plan", str(spec), "--gpus", "L4,H100"]) == 0
    first, _, *lines = capsys.readouterr().out.splitlines()
    assert first == "chat: 512 tokens in, 128 out, 20 requests/s"
    table = lines[: lines.index("")]
    assert table[0].split()[:3] == ["GPUs", "GPU", "replicas"]
    assert [row.split()[1] for row in table[1:] if "(" not in row]
    assert [line for line in lines[len(table) :] if len(line) > 80] == []


def test_the_winner_is_written_as_a_spec_that_checks(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    winner = spec.with_name("winner.yaml")
    assert invoke(["plan", str(spec), "--gpus", "L4", "-o", str(winner)]) == 0
    assert "fits by servespec check" in capsys.readouterr().err
    assert invoke(["check", str(winner)]) == 0
    assert invoke(["plan", str(spec), "-o", str(winner)]) == 2  # not overwritten unasked
    assert "--force" in capsys.readouterr().err


def test_paths_of_the_winner_hold_from_its_own_folder(spec: Path) -> None:
    from servespec.models.sources import catalogue

    known = catalogue.read("meta-llama/Llama-3.1-8B-Instruct")
    assert known is not None
    spec.with_name("config.json").write_text(json.dumps(dict(known.config)), "utf-8")
    spec.write_text(SPEC.replace("{id: meta-llama/", "{config: config.json, id: own/"), "utf-8")
    folder = spec.parent / "planned"
    folder.mkdir()
    assert invoke(["plan", str(spec), "--gpus", "H100", "-o", str(folder / "winner.yaml")]) == 0
    assert "../config.json" in (folder / "winner.yaml").read_text("utf-8")
    assert invoke(["check", str(folder / "winner.yaml")]) == 0


def test_what_nothing_serves_exits_with_1_and_says_why(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec.write_text(SPEC + "objectives: {itl_ms: 0.01}\n", "utf-8")
    assert invoke(["plan", str(spec), "--gpus", "H100"]) == 1
    assert "the inter-token latency objective is missed (estimate)" in capsys.readouterr().out


def test_without_objectives_a_rate_says_that_latency_is_unbounded(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["plan", str(spec), "--gpus", "H100"]) == 0
    assert "No objectives are given" in capsys.readouterr().out
    spec.write_text(SPEC + "objectives: {itl_ms: 60}\n", "utf-8")
    assert invoke(["plan", str(spec), "--gpus", "H100"]) == 0
    assert "No objectives" not in capsys.readouterr().out


def test_a_split_that_an_engine_has_no_flag_for_is_named_as_such(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec.write_text(
        SPEC.replace("vllm: {version: 0.25.1, args: {enable_prefix_caching: true}}", "tgi: {}"), "utf-8"
    )
    found = answers(spec, capsys, "--gpus", "L4", "--vary", "tensor,pipeline")["not"]
    (refused,) = [row for row in found if row["constraint"] == "inexpressible"]  # type: ignore[attr-defined]
    assert "cannot express parallel.pipeline" in refused["example"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gpus", "H1000"], "H1"),
        (["--vary", "colour"], "'colour' cannot vary"),
        (["--target", "ollama"], "'ollama' is none of"),
        (["--headroom", "0"], "headroom"),
        (["--format", "xml"], "none of text, json"),
        (["--prices", "none.yaml"], "none.yaml"),
        (["--network-gbps", "0"], "more than 0"),
        (["--nodes", "0"], "0 nodes"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(
    spec: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert invoke(["plan", str(spec), *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["[]", "gpus: {}", "gpus: {H100: free}", "gpus: {H1000: 1}", "a: 1\ngpus: {H100: 1}", "{"]
)
def test_a_price_file_that_makes_no_sense_is_refused(
    spec: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    prices = spec.with_name("prices.yaml")
    prices.write_text(text, "utf-8")
    assert invoke(["plan", str(spec), "--prices", str(prices)]) == 2
    assert "prices.yaml" in capsys.readouterr().err


def test_a_workload_longer_than_the_context_is_refused(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec.write_text(SPEC.replace("8192", "600"), "utf-8")
    assert invoke(["plan", str(spec)]) == 2
    assert "640 tokens, the longest allowed are 600" in capsys.readouterr().err
