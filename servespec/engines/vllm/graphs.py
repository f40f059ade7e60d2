"""CUDA graphs: what the budget subtracts for them, and what capture takes beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from servespec.engines.vllm.policies import GRAPH_ESTIMATE_IS_SUBTRACTED, V2_ESTIMATES_GRAPHS, by_version
from servespec.memory.budget import Term
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

MIB = 2**20
LARGEST_CAPTURE = 512
FULL_SET = 51
"""Capture sizes on an H100 with default limits (h100-vllm-0.25.1 cudagraph_sizes); the rows below have as many."""

# h200-vllm-0.25.1, model runner V1: 590 MiB with 24 layers (gpt-oss-20b), 563 with 32 (Mixtral-8x7B), 676 with
# 36 (gpt-oss-120b), 655 and 758 with 48 (Qwen3-30B-A3B and its FP8): a line through them, within 56 MiB.
ESTIMATE_MIB = 437.0
ESTIMATE_MIB_PER_LAYER = 5.6
ESTIMATE_SPREAD_MIB = 75

# Taken by capture, "Graph capturing finished … took N GiB": (versions, MiB, MiB a layer). llmd205 on 0.19.0 from 28
# layers (0.81–0.87 GiB) to 80 (1.61), h200-vllm-0.25.1 from 0.99 (32) to 1.88 (64), 0.11 for four sizes; before 0.12
# piecewise graphs alone: llmd622 on 0.11 from 0.10 (28 layers) to 0.60 (80), and on 0.10 as much as 1.88 with experts.
TAKEN: tuple[tuple[str, tuple[float, float]], ...] = ((">=0.12", (350.0, 17.0)), ("<0.12", (50.0, 7.0)))
TAKEN_SPREAD = 0.4
TAKEN_SPREAD_OF_EXPERTS = 1.0  # 0.80 GiB (Qwen3-30B-A3B, 0.25.1) to 1.88 (gpt-oss-120b at tp 4, 0.10.1)


def capture_sizes(deployment: Deployment) -> int:
    """How many batch sizes are captured; 0 without graphs.

    1, 2, 4, every 8th up to 256 and every 16th above (before 0.11.1 every 8th), up to
    min(2 × max_num_seqs, 512), as long as a batch may be that large (vllm/config/vllm.py
    _set_cudagraph_sizes; before it vllm/config.py).
    """
    settings = deployment.settings
    if settings.flag("enforce_eager") or deployment.gpu.is_cpu:
        return 0
    config = settings.value("compilation_config")
    config = config if isinstance(config, Mapping) else {}
    if (
        config.get("cudagraph_mode") in ("NONE", 0)
        or config.get("mode") in (0, "NONE")
        or config.get("level") == 0
    ):
        return 0
    given = config.get("cudagraph_capture_sizes")
    if isinstance(given, list | tuple):
        return len(given)
    largest = config.get(
        "max_cudagraph_capture_size", min(2 * settings.integer("max_num_seqs"), LARGEST_CAPTURE)
    )
    largest = min(
        largest if isinstance(largest, int) else LARGEST_CAPTURE, settings.integer("max_num_batched_tokens")
    )
    if settings.value("engine") == "v0":
        return len([1, 2, 4]) + min(settings.integer("max_num_seqs"), 256) // 8
    small = len([size for size in (1, 2, 4) if size <= largest]) + len(range(8, min(largest, 255) + 1, 8))
    step = 16 if holds(">=0.11.1", deployment.version) else 8
    return small + len(range(256, largest + 1, step))


def subtracted_term(deployment: Deployment) -> Term:
    """What the budget subtracts: the engine's own estimate, from the versions on that make one."""
    sizes, source = capture_sizes(deployment), f"vllm {deployment.version} v1/worker/gpu_worker.py"
    if not sizes or deployment.gpu.kind != "cuda" or not _is_subtracted(deployment):
        return Term("cuda_graph", 0, "nothing is subtracted", source)
    share = sizes / FULL_SET
    layers = deployment.model.layers
    size = int((ESTIMATE_MIB + ESTIMATE_MIB_PER_LAYER * layers) * share * MIB)
    return Term(
        "cuda_graph",
        size,
        "(437 + 5.6 × layers) MiB × capture sizes ÷ 51",
        f"{source}; fitted on h200-vllm-0.25.1, model runner V1",
        f"(437 + 5.6 × {layers}) MiB × {sizes} ÷ {FULL_SET}",
        uncertainty_bytes=int(ESTIMATE_SPREAD_MIB * MIB * max(share, 0.2)),
    )


def _is_subtracted(deployment: Deployment) -> bool:
    asked = deployment.spec.env.get("VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS")
    asked = deployment.target.env.get("VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS", asked)
    if asked is not None and str(asked) in ("0", "1"):
        if str(asked) == "0":
            return False
    elif not holds(GRAPH_ESTIMATE_IS_SUBTRACTED, deployment.version):
        return False
    runner = deployment.settings.value("model_runner")
    return runner == "v1" or (runner == "v2" and holds(V2_ESTIMATES_GRAPHS, deployment.version))


def beyond_budget_terms(deployment: Deployment, subtracted: Term) -> tuple[Term, ...]:
    """What is taken beside the budget, after the KV cache."""
    terms = (_captured_term(deployment, subtracted), _data_parallel_term(deployment))
    return tuple(term for term in terms if term is not None)


def _captured_term(deployment: Deployment, subtracted: Term) -> Term:
    """What capture takes above what the budget subtracted for it."""
    sizes = capture_sizes(deployment)
    layers = deployment.model.layers
    fixed, per_layer = by_version(TAKEN, deployment.version, TAKEN[0][1])
    taken = int((fixed + per_layer * layers) * sizes / FULL_SET * MIB)
    return Term(
        "graphs beyond the budget",
        max(0, taken - subtracted.size_bytes),
        f"({fixed:g} + {per_layer:g} × layers) MiB × capture sizes ÷ 51 − what was subtracted",
        "fitted on llmd205 (0.19.0), llmd622 (0.11) and h200-vllm-0.25.1",
        f"({fixed:g} + {per_layer:g} × {layers}) MiB × {sizes} ÷ {FULL_SET} − {subtracted.size_bytes // MIB} MiB",
        uncertainty_bytes=int(
            taken * (TAKEN_SPREAD if deployment.model.moe is None else TAKEN_SPREAD_OF_EXPERTS)
        ),
    )


def _data_parallel_term(deployment: Deployment) -> Term | None:
    """Buffers of experts spread over data-parallel ranks, made after the budget: not modelled, only bounded.

    None without them. idx-4l4-qwen3moe-2 (0.29.0, tp 2 × dp 2 with expert parallelism) ran out of memory
    with 2.2 GiB left beside its budget.
    """
    settings = deployment.settings
    if settings.integer("data_parallel_size") == 1 or deployment.model.moe is None:
        return None
    return Term(
        "buffers of data-parallel experts",
        0,
        "not modelled",
        "bounded by idx-4l4-qwen3moe-2",
        uncertainty_bytes=1536 * MIB,
    )
