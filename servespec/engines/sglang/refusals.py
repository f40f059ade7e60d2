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
    "awq": (7, 5),
    "gptq": (6, 0),
    "compressed-tensors": (8, 0),  # the method itself 7.0, but every one of its schemes 8.0 or more
    "bitsandbytes": (7, 0),
}
NEVER_ON_ROCM = frozenset({"bitsandbytes", "gguf", "w8a8_int8", "experts_int8"})
LEFT_ROCM = "0.5.23"
"""configs/model_config.py _verify_quantization: rocm_supported_quantization lost gptq by this version, and what
ModelOpt wrote is by then always taken for modelopt_fp8 or modelopt_fp4, which were never in it."""
NOT_ON_ROCM_SINCE = frozenset({"gptq", "modelopt", "modelopt_fp8", "modelopt_fp4"})
FP4_BY_MARLIN = "0.5.13"  # ModelOptFp4Config: 10.0 before, 8.0 since


OLDEST_GPU = (7, 5)
"""Model loading: “SGLang only supports sm75 and above.” (model_executor, where bfloat16 is put down to float16)."""
BLACKWELL, BLACKWELL_SINCE = (10, 0), "0.4.7"
KERNELS_FOR_GPU = (8, 0)
KERNELS_LEFT_TURING = "0.5.9"
"""common_ops of sgl-kernel 0.3.21 (needed by 0.5.9), sglang-kernel 0.4.0 and 0.4.5 (0.5.17) hold code for 8.0 and higher
alone; sgl-project/sglang issues 24224 and 38515 have the failure on 7.5."""


def is_too_old(deployment: Deployment) -> bool:
    """Whether SGLang takes no weights at all on this GPU."""
    return _is_below(deployment, OLDEST_GPU)


def has_no_kernels(deployment: Deployment) -> bool:
    """Whether SGLang's own kernels are published without code for this GPU."""
    return is_since(deployment.version, KERNELS_LEFT_TURING) and _is_below(deployment, KERNELS_FOR_GPU)


def is_too_new(deployment: Deployment) -> bool:
    """Whether the release came before PyTorch had code for the GPU (Blackwell: PyTorch 2.7, which SGLang took in 0.4.7)."""
    gpu = deployment.gpu
    return (
        gpu.kind == "cuda"
        and gpu.compute_capability is not None
        and gpu.compute_capability >= BLACKWELL
        and not is_since(deployment.version, BLACKWELL_SINCE)
    )


def _is_below(deployment: Deployment, capability: tuple[int, int]) -> bool:
    gpu = deployment.gpu
    return gpu.kind == "cuda" and gpu.compute_capability is not None and gpu.compute_capability < capability


def least_capability(deployment: Deployment) -> tuple[str, tuple[int, int]] | None:
    """The method of the weights and the compute capability that it needs; None where nothing is known to be needed."""
    quantization = quantization_of(deployment)
    if quantization is None:
        return None
    if any(found.name == "nvfp4" for _, found in quantization.formats):
        return "modelopt_fp4", (8, 0) if is_since(deployment.version, FP4_BY_MARLIN) else (10, 0)
    least = LEAST_CAPABILITY.get(quantization.method)
    return None if least is None else (quantization.method, least)


def refused_on_rocm(deployment: Deployment) -> str | None:
    """The method of the weights, where SGLang does not take it on an AMD GPU."""
    quantization = quantization_of(deployment)
    if quantization is None or deployment.gpu.kind != "rocm":
        return None
    method, left = quantization.method, is_since(deployment.version, LEFT_ROCM)
    return method if method in NEVER_ON_ROCM or (left and method in NOT_ON_ROCM_SINCE) else None


def is_refused(deployment: Deployment) -> bool:
    """Whether the GPU is older than the weights' method wants."""
    least, gpu = least_capability(deployment), deployment.gpu
    return (
        least is not None
        and gpu.kind == "cuda"
        and gpu.compute_capability is not None
        and gpu.compute_capability < least[1]
    )
