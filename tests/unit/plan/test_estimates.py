"""The range of an estimate holds what was measured: our own runs, and figures that others published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from servespec.plan import Wishes, plan
from servespec.plan.sizing import Sizing
from servespec.spec.loader import load_text

MEASURED = json.loads(Path(__file__).with_name("measured.json").read_text("utf-8"))
FIGURES = ("output_tokens_per_second", "itl_ms", "ttft_ms")


def sizing_of(row: dict[str, Any]) -> Sizing:
    loaded = load_text(
        f"servespec: v1\nname: measured\nmodel: {{id: {row['model']}}}\nhardware: {{gpu: {row['gpu']}}}\n"
        f"limits: {{max_model_len: 16384}}\n"
        f"workload: {{input_tokens: {row['input_tokens']}, output_tokens: {row['output_tokens']}, "
        f"concurrency: {row['concurrency']}}}\n"
        f"targets: {{{row['engine']}: {{version: {row['version']}}}}}\n"
    )
    assert loaded.spec is not None, loaded.diagnostics
    found = plan(loaded.spec, Path(), Wishes(gpus=(row["gpu"],), vary=frozenset(), most_nodes=1))
    assert found.best is not None
    assert found.best.sizing.slow.in_flight == row["concurrency"]
    return found.best.sizing


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row['gpu']}, {row['model']} on {row['engine']}")
def test_the_range_holds_what_was_measured(row: dict[str, Any]) -> None:
    sizing = sizing_of(row)
    for figure in set(FIGURES) & set(row):
        name, scale = (figure[:-3] + "_seconds", 1e3) if figure.endswith("_ms") else (figure, 1.0)
        ends = sorted(getattr(end, name) * scale for end in (sizing.slow, sizing.fast))
        assert ends[0] <= row[figure] <= ends[1], (figure, ends)


def test_the_ranges_say_something() -> None:
    """A range that holds everything would hold the measured figures too."""
    for row in MEASURED:
        sizing = sizing_of(row)
        assert sizing.fast.output_tokens_per_second <= 3 * sizing.slow.output_tokens_per_second


def test_a_request_takes_its_first_token_and_the_intervals_after() -> None:
    for row in MEASURED:
        for end in (sizing_of(row).slow, sizing_of(row).fast):
            whole = end.ttft_seconds + end.itl_seconds * (row["output_tokens"] - 1)
            assert whole == pytest.approx(end.request_seconds)


def test_a_single_token_has_no_interval_that_prompts_could_lengthen() -> None:
    row = {**MEASURED[0], "output_tokens": 1}
    few, many = (sizing_of({**row, "input_tokens": tokens}).slow for tokens in (64, 4096))
    assert many.ttft_seconds > 10 * few.ttft_seconds
    assert many.itl_seconds < 2 * few.itl_seconds


def test_the_page_shows_these_ranges() -> None:
    page = Path("docs/plan.md").read_text("utf-8")
    for row in MEASURED:
        sizing = sizing_of(row)
        ends = [sizing.slow.output_tokens_per_second, sizing.fast.output_tokens_per_second]
        if "output_tokens_per_second" not in row:
            name, digits = ("itl_seconds", 1) if "itl_ms" in row else ("ttft_seconds", 0)
            ends = [getattr(sizing.fast, name) * 1e3, getattr(sizing.slow, name) * 1e3]
            shown = "…".join(f"{end:,.{digits}f}" for end in ends)
        else:
            shown = "…".join(f"{end:,.0f}" for end in ends)
        assert f"| {shown}" in page
