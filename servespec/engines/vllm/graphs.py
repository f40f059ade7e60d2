"""CUDA graphs: what the budget subtracts for them, and what capture takes beyond it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.policies import GRAPH_ESTIMATE_IS_SUBTRACTED
from servespec.memory.budget import Term
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

MIB = 2**20


def subtracted_term(deployment: Deployment) -> Term:
    """What the budget subtracts: an estimate by model runner V1 from 0.20 on, nothing otherwise."""
    settings = deployment.settings
    if (
        settings.flag("enforce_eager")
        or deployment.gpu.kind != "cuda"
        or settings.value("model_runner") != "v1"
        or not holds(GRAPH_ESTIMATE_IS_SUBTRACTED, deployment.version)
    ):
        return Term(
            "cuda_graph", 0, "nothing is subtracted", f"vllm {deployment.version} v1/worker/gpu_worker.py"
        )
    return Term(
        "cuda_graph",
        640 * MIB,
        "estimate of the capture, as the engine makes it",
        "measured: h200-vllm-0.25.1, model runner V1: 0.55–0.74 GiB",
        "640 MiB",
        uncertainty_bytes=128 * MIB,
    )
