"""Weights that stay in the host's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servespec.deployment import Deployment


def offloaded_bytes(deployment: Deployment) -> int:
    """cpu_offload_gb, which model runner V2 does not act upon (h200-vllm-0.25.1: no effect)."""
    given = deployment.settings.value("cpu_offload_gb")
    if deployment.settings.value("model_runner") == "v2" or not isinstance(given, int | float):
        return 0
    return int(given * 2**30)
