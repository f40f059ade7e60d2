"""Which quantization holds in the end: the checkpoint's, or one that vLLM does while loading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.models.quantization import online_quantization

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.models.facts import Quantization


def effective_quantization(deployment: Deployment) -> Quantization | None:
    """The checkpoint's own quantization, else the online one that is asked for. Raises UnmodelledError."""
    if deployment.model.quantization is not None:
        return deployment.model.quantization
    method = deployment.settings.value("quantization")
    return online_quantization(method) if isinstance(method, str) else None
