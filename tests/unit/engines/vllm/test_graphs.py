import pytest

from servespec.engines.vllm.graphs import beyond_budget_terms, capture_sizes, subtracted_term
from servespec.engines.vllm.memory import budget
from servespec.memory.budget import ShortfallKind, Verdict
from tests.unit.engines.vllm.deployments import MIXTRAL, deploy

MIB = 2**20


@pytest.mark.parametrize(
    ("version", "limits", "args", "sizes"),
    [
        ("0.25.1", {}, {}, 51),
        ("0.25.1", {"max_concurrent_requests": 64}, {}, 19),
        ("0.25.1", {"max_concurrent_requests": 1}, {}, 2),
        ("0.10.2", {}, {}, 67),
        ("0.7.2", {}, {}, 35),
        ("0.25.1", {}, {"enforce_eager": True}, 0),
        ("0.25.1", {}, {"compilation_config": {"cudagraph_mode": "NONE"}}, 0),
        ("0.25.1", {}, {"compilation_config": {"cudagraph_capture_sizes": [1, 2, 4, 8]}}, 4),
    ],
)
def test_batch_sizes_are_captured_as_that_version_does(
    version: str, limits: dict[str, int], args: dict[str, object], sizes: int
) -> None:
    """51 on an H100 with 0.25.1 (h100-vllm-0.25.1 cudagraph_sizes)."""
    assert capture_sizes(deploy(version=version, limits=limits, args=args)) == sizes


def test_only_a_runner_that_estimates_graphs_subtracts_them() -> None:
    assert subtracted_term(deploy(version="0.19.0", config=MIXTRAL)).size_bytes == 0
    assert subtracted_term(deploy(version="0.25.1")).size_bytes == 0  # dense: model runner V2
    assert subtracted_term(deploy(version="0.29.0")).size_bytes > 0
    estimate = subtracted_term(deploy(version="0.25.1", config=MIXTRAL))
    assert abs(estimate.size_bytes - 563 * MIB) <= estimate.uncertainty_bytes  # h200-vllm-0.25.1


def test_the_estimate_can_be_turned_off() -> None:
    env = {"VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "0"}
    assert subtracted_term(deploy(version="0.25.1", config=MIXTRAL, env=env)).size_bytes == 0


def test_graphs_that_leave_nothing_beside_the_budget_make_a_start_uncertain() -> None:
    full = deploy(gpu="L4-24GB", limits={"max_model_len": 2048, "gpu_memory_fraction": 0.97})
    found = budget(full)
    assert ShortfallKind.graphs_exceed_memory in [shortfall.kind for shortfall in found.shortfalls]
    assert found.verdict is not Verdict.fits
    eager = deploy(
        gpu="L4-24GB",
        args={"enforce_eager": True},
        limits={"max_model_len": 2048, "gpu_memory_fraction": 0.97},
    )
    assert ShortfallKind.graphs_exceed_memory not in [s.kind for s in budget(eager).shortfalls]


def test_experts_over_data_parallel_ranks_are_bounded_beside_the_budget() -> None:
    spread = deploy(config=MIXTRAL, parallel={"tensor": 2, "data": 2, "expert": True})
    names = [term.name for term in beyond_budget_terms(spread, subtracted_term(spread))]
    assert "buffers of data-parallel experts" in names
