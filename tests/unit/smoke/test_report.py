"""What a smoke test found, written for people and programs."""

import json
from xml.etree import ElementTree

from servespec.engines.observed import Observed
from servespec.memory.budget import MemoryBudget, Term, Verdict
from servespec.smoke.probe import Evidence, Outcome, Probe
from servespec.smoke.reconcile import Agreement, merge, reconcile
from servespec.smoke.report import SmokeReport, to_json, to_junit, to_text
from servespec.smoke.run_probes import Result

GIB = 1 << 30


def term(name: str, size_bytes: int, uncertainty_bytes: int = 0) -> Term:
    return Term(name=name, size_bytes=size_bytes, formula="", source="", uncertainty_bytes=uncertainty_bytes)


BUDGET = MemoryBudget(
    device_bytes=80 * GIB,
    budget_bytes=70 * GIB,
    weights=term("weights", 16 * GIB, GIB // 10),
    activation=term("activation", GIB),
    non_torch=term("non-torch", 0),
    cuda_graph=term("graphs", 0),
    kv_cache_bytes=10 * GIB,
    kv_bytes_per_token=131072,
    kv_tokens=81920,
    max_concurrency=10.0,
    uncertainty_bytes=GIB // 2,
    verdict=Verdict.fits,
    block_size=16,
    num_blocks=5120,
)


def agreements(observed: Observed) -> dict[str, Agreement]:
    return {row.name: row.agreement for row in reconcile(BUDGET, observed, 8192)}


def test_only_what_was_observed_is_compared() -> None:
    assert agreements(Observed(engine="vllm", kv_tokens=81920)) == {"KV tokens": Agreement.exact}


def test_a_difference_is_held_against_the_uncertainty_of_the_budget() -> None:
    within = Observed(
        engine="vllm", kv_cache_bytes=10 * GIB + GIB // 4, kv_tokens=81920 + 2048, num_blocks=5248
    )
    assert set(agreements(within).values()) == {Agreement.within}
    off = Observed(engine="vllm", kv_cache_bytes=11 * GIB, kv_tokens=90112, num_blocks=5632)
    assert set(agreements(off).values()) == {Agreement.off}


def test_a_term_without_a_stated_bound_is_shown_without_a_verdict() -> None:
    assert agreements(Observed(engine="vllm", activation_bytes=2 * GIB)) == {"activation": Agreement.unstated}


def test_a_figure_is_exact_to_the_last_digit_that_is_printed() -> None:
    printed = Observed(
        engine="vllm", kv_cache_bytes=10 * GIB + 4_000_000, precision={"kv_cache_bytes": 0.005 * GIB}
    )
    assert agreements(printed) == {"KV cache": Agreement.exact}


def test_the_server_is_believed_before_the_log() -> None:
    rounding = {"kv_cache_bytes": 5.0, "weights_bytes": 1.0}
    log = Observed(engine="vllm", kv_cache_bytes=90, weights_bytes=5, ready=True, precision=rounding)
    server = Observed(engine="vllm", kv_cache_bytes=92)
    merged = merge(log, server)
    assert (merged.kv_cache_bytes, merged.weights_bytes, merged.ready) == (92, 5, True)
    assert merged.precision == {"weights_bytes": 1.0}


def result(name: str, outcome: Outcome, message: str) -> Result:
    probe = Probe(name=name, description=name, run=lambda server: Evidence(outcome=outcome, message=message))
    return Result(probe, Evidence(outcome=outcome, message=message, seconds=0.25))


REPORT = SmokeReport(
    name="tiny",
    engine="vllm",
    version="0.32.0",
    url="http://127.0.0.1:8000",
    results=(
        result("health", Outcome.passed, "/health gives 200"),
        result("completion", Outcome.failed, "gave 500: [bold]\x1b oops"),
        result("metrics", Outcome.skipped, "off"),
    ),
    comparisons=reconcile(BUDGET, Observed(engine="vllm", kv_cache_bytes=11 * GIB, kv_tokens=81920), 8192),
)


def test_the_table_shows_every_probe_and_every_difference() -> None:
    text = to_text(REPORT)
    for part in (
        "health",
        "completion",
        "[bold]",
        "KV cache",
        "10.000 GiB",
        "11.000 GiB",
        "+1.000 GiB",
        "off",
    ):
        assert part in text


def test_json_says_whether_it_passed_and_gives_the_figures_in_bytes() -> None:
    document = json.loads(to_json(REPORT))
    assert document["passed"] is False
    assert [probe["outcome"] for probe in document["probes"]] == ["passed", "failed", "skipped"]
    assert document["reconciliation"][0] == {
        "name": "KV cache",
        "unit": "bytes",
        "predicted": 10 * GIB,
        "observed": 11 * GIB,
        "agreement": "off",
        "difference": GIB,
    }


def test_junit_counts_failures_and_is_xml_whatever_the_model_says() -> None:
    suite = ElementTree.fromstring(to_junit(REPORT))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert suite.find("testcase[@name='completion']/failure") is not None
    assert suite.find("properties/property[@name='KV tokens observed (tokens)']") is not None
