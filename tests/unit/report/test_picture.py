"""The picture of a GPU's memory, in a terminal and as SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.check import check_file
from servespec.memory.budget import MemoryBudget, Term, Verdict
from servespec.report.model import FileReport
from servespec.report.picture import bar, segments, svg
from servespec.report.style import Style
from servespec.spec import load_text

SPEC = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
targets: {vllm: {version: 0.25.1}}
"""
SIZES = st.integers(0, 1 << 38)


def budget_of(device: int, weights: int, activation: int, graphs: int, kv: int, outside: int) -> MemoryBudget:
    def term(name: str, size: int) -> Term:
        return Term(name, size, "", "")

    return MemoryBudget(
        device_bytes=device,
        budget_bytes=weights + activation + graphs + kv,
        weights=term("weights", weights),
        activation=term("activation", activation),
        non_torch=term("non_torch", 0),
        cuda_graph=term("cuda_graph", graphs),
        kv_cache_bytes=kv,
        kv_bytes_per_token=1,
        kv_tokens=kv,
        max_concurrency=1.0,
        uncertainty_bytes=0,
        verdict=Verdict.fits,
        outside=(term("graphs", outside),),
    )


@given(
    st.integers(1, 1 << 40),
    SIZES,
    SIZES,
    SIZES,
    st.integers(-(1 << 30), 1 << 38),
    SIZES,
    st.integers(60, 200),
)
def test_the_bar_is_as_wide_as_the_terminal_allows_and_misses_no_term(
    device: int, weights: int, activation: int, graphs: int, kv: int, outside: int, width: int
) -> None:
    budget = budget_of(device, weights, activation, graphs, kv, outside)
    drawn, *legend = bar(budget, Style(width=width))
    assert len(drawn) == 2 + min(width - 4, 96)
    assert {part.letter for part in segments(budget)} == set(drawn.strip())
    assert all(len(line) <= width for line in legend)
    assert all(part.name in "".join(legend) for part in segments(budget))


@given(st.integers(1, 1 << 40), SIZES, SIZES, SIZES, SIZES, SIZES)
def test_stretches_add_up_to_the_device_unless_more_is_asked_for(
    device: int, weights: int, activation: int, graphs: int, kv: int, outside: int
) -> None:
    parts = segments(budget_of(device, weights, activation, graphs, kv, outside))
    assert sum(part.size_bytes for part in parts) == max(device, weights + activation + graphs + kv + outside)


@pytest.fixture(scope="module")
def report() -> FileReport:
    return check_file(load_text(SPEC.replace("small", "a.b-c")))


def test_svg_is_xml_with_a_bar_and_a_figure_for_every_term(report: FileReport) -> None:
    root = ElementTree.fromstring(svg(report))
    space = "{http://www.w3.org/2000/svg}"
    budget = report.targets[0].budget
    assert budget is not None
    bars = [rect for rect in root.iter(f"{space}rect") if rect.find(f"{space}title") is not None]
    assert len(bars) == len(segments(budget))
    assert sum(float(rect.get("width", "0")) for rect in bars) == pytest.approx(720, abs=1)
    assert "KV cache" in "".join(text.text or "" for text in root.iter(f"{space}text"))


def test_svg_of_a_hostile_path_is_still_xml() -> None:
    report = check_file(load_text("", "\x00<svg onload='x'>]]>&\udcff\n"))
    assert ElementTree.fromstring(svg(report)) is not None
