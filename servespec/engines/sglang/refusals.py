"""Quantization that SGLang refuses to load on a GPU.

Source: layers/quantization/*.py get_min_capability of 0.5.5, 0.5.9, 0.5.11, 0.5.13, 0.5.17 and 0.5.23, held against
the GPU in model_loader/loader.py.
"""

from __future__ import annotations

from servespec.deployment import Deployment
from servespec.engines.sglang.versions import is_since
from servespec.engines.sglang.weights import quantization_of

LEAST_CAPABILITY: dict[str, tuple[int, int]] = {
    "fp8": (8, 0),
    "mxfp4": (8, 0),
    "awq_marlin": (8, 0),
    "gptq_marlin": (8, 0),
    "w8a8_int8": (7, 5),
    "w8a8_fp8": (8, 9),
    "modelopt": (8, 9),
    "modelopt_fp8": (8, 9),
    "compressed-tensors": (7, 0),
    "bitsandbytes": (7, 0),
}
FP4_BY_MARLIN = "0.5.13"  # ModelOptFp4Config: 10.0 before, 8.0 since


def least_capability(deployment: Deployment) -> tuple[str, tuple[int, int]] | None:
    """The method of the weights and the compute capability that it needs; None where nothing is known to be needed."""
    quantization = quantization_of(deployment)
    if quantization is None:
        return None
    if any(found.name == "nvfp4" for _, found in quantization.formats):
        return "modelopt_fp4", (8, 0) if is_since(deployment.version, FP4_BY_MARLIN) else (10, 0)
    least = LEAST_CAPABILITY.get(quantization.method)
    return None if least is None else (quantization.method, least)


def is_refused(deployment: Deployment) -> bool:
    """Whether the GPU is older than the weights' method wants."""
    least, gpu = least_capability(deployment), deployment.gpu
    return (
        least is not None
        and gpu.kind == "cuda"
        and gpu.compute_capability is not None
        and gpu.compute_capability < least[1]
    )
