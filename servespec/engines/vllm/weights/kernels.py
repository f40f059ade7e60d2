"""Which kernel runs a quantized module, as far as it decides how the weights are stored.

Source: vllm/model_executor/layers/quantization/*.py, fused_moe/oracle/mxfp4.py and utils/marlin_utils*.py.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from servespec.engines.vllm.weights.modules import Module
from servespec.models.facts import TensorKind, WeightFormat
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

PACKED = frozenset({"awq", "gptq", "pack-quantized"})


class Kernel(StrEnum):
    """Families of kernels that store weights alike."""

    plain = "plain"  # as in the checkpoint
    marlin = "marlin"
    triton_mxfp4 = "triton"
    trtllm = "trtllm"
    cutlass_fp4 = "cutlass"
    rocm_mxfp4 = "rocm"


def kernel_for(deployment: Deployment, module: Module, form: WeightFormat) -> Kernel:
    """The kernel that vLLM picks by itself for a module of this format on this GPU."""
    gpu = deployment.gpu
    if gpu.kind == "rocm":
        return Kernel.rocm_mxfp4 if form.name == "mxfp4" else Kernel.plain
    if gpu.kind != "cuda":
        return Kernel.plain
    capability = gpu.compute_capability or (8, 0)
    if form.name in PACKED:
        return Kernel.marlin if capability >= (7, 5) else Kernel.plain
    if form.name == "fp8":
        return Kernel.plain if capability >= (8, 9) else Kernel.marlin
    if form.name == "nvfp4":
        return Kernel.cutlass_fp4 if capability >= (10, 0) else Kernel.marlin
    if form.name == "mxfp4" and module.kind is TensorKind.expert:
        return mxfp4_experts_kernel(deployment)
    return Kernel.plain


def mxfp4_experts_kernel(deployment: Deployment) -> Kernel:
    """select_mxfp4_moe_backend; triton_kernels came with the wheel in 0.11, before it Hopper ran Marlin."""
    if deployment.gpu.kind == "rocm":
        return Kernel.rocm_mxfp4
    capability = deployment.gpu.compute_capability or (0, 0)
    if (10, 0) <= capability < (11, 0):
        return Kernel.trtllm
    if (9, 0) <= capability < (10, 0):
        return Kernel.triton_mxfp4 if holds(">=0.11", deployment.version) else Kernel.marlin
    return Kernel.marlin if deployment.gpu.kind == "cuda" else Kernel.plain
