"""GPUs that the published builds of vLLM have no code for."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.vllm.rules.view import capability
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

BLACKWELL = 100
OLDEST = 75
"""_C and _moe_C of the 0.25.1 wheel hold code for 7.5 to 12.0; PyTorch 2.11, which 0.20 and later need, 7.5 to 12.0 too."""


@rule(
    code="SV365",
    name="vllm-build-without-code-for-gpu",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.20",
    summary="The published builds have no code for GPUs below compute capability 7.5.",
    explanation="Since 0.20 vLLM is built with CUDA 13 and needs PyTorch 2.11: neither has code for Volta (V100) any more. "
    "The server stops at the first kernel.",
    error_text="torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device",
    fix="Take vLLM before 0.20, or a GPU of compute capability 7.5 or higher.",
    source="vllm-project/vllm pull request 39878; pytorch/pytorch issue 172352; the code objects in vllm-0.25.1's wheel",
)
def build_without_code_for_gpu(subject: Subject) -> Iterable[Finding]:
    """CUDA below 7.5."""
    found = capability(subject)
    if found is not None and found < OLDEST:
        yield Finding(
            message=f"{subject.target.gpu.name} has compute capability {found / 10:.1f}; vLLM {subject.version} is built for "
            "7.5 and higher",
            key="hardware.gpu",
        )


SPARSE_SINCE = 9
"""The least major compute capability of FLASHMLA_SPARSE, FLASH_ATTN_MLA_SPARSE and the FLASHINFER_MLA_SPARSE kernels, all together."""


@rule(
    code="SV367",
    name="vllm-sparse-attention-needs-hopper",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11",
    summary="DeepSeek's sparse attention has kernels for Hopper and Blackwell alone.",
    explanation="DeepSeek-V3.2, DeepSeek-V4, GLM-5 and others of their kind attend to chosen tokens. Every kernel for that is "
    "written for compute capability 9.0, 10.x or 12.x; on Ampere and Ada no attention backend is left.",
    error_text="No valid attention backend found for cuda with ... Reasons: {...: [compute capability not supported]}",
    fix="Take a Hopper or Blackwell GPU, or a model with dense attention (DeepSeek-V3.1, GLM-4.6).",
    source="vLLM 0.25.1, 0.32.0 vllm/v1/attention/backends/mla/*sparse*.py supports_compute_capability, "
    "vllm/models/deepseek_v4/nvidia; 0.11.0 flashmla_sparse.py",
)
def sparse_attention_needs_hopper(subject: Subject) -> Iterable[Finding]:
    """Sparse attention on CUDA other than 9.x, 10.x, 12.x."""
    found = capability(subject)
    if found is not None and subject.model.extra.get("sparse_attention") and found // 10 < SPARSE_SINCE:
        yield Finding(
            message=f"{subject.target.gpu.name} has compute capability {found / 10:.1f}; the sparse attention of "
            f"{subject.model.architecture} needs 9.0 or higher",
            key="hardware.gpu",
        )


@rule(
    code="SV369",
    name="vllm-build-before-blackwell",
    severity=Severity.error,
    engine="vllm",
    versions="<0.9",
    summary="Builds before 0.9 have no code for Blackwell.",
    explanation="Up to 0.8.5 vLLM is published with PyTorch 2.6 and CUDA 12.4 or older, which know no compute capability "
    "above 9.0. The server stops at the first kernel.",
    error_text="RuntimeError: CUDA error: no kernel image is available for execution on the device",
    fix="Take vLLM 0.9 or later (for the wheels of PyPI 0.10).",
    source="torch==2.6.0 of vLLM 0.8.5; PyTorch RELEASE.md: CUDA 12.8 and Blackwell from 2.7 on",
)
def build_before_blackwell(subject: Subject) -> Iterable[Finding]:
    """CUDA of 10.0 or more."""
    found = capability(subject)
    if found is not None and found >= BLACKWELL:
        yield Finding(
            message=f"{subject.target.gpu.name} has compute capability {found / 10:.1f}; vLLM {subject.version} is built for "
            "9.0 and lower",
            key="hardware.gpu",
        )


CPU_CACHE_TYPES = ("auto", "float16", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2")


@rule(
    code="SV371",
    name="vllm-cache-type-not-on-cpu",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.13",
    summary="On a CPU the KV cache keeps the model's type, or fp8.",
    explanation="The CPU's attention kernels read no other types.",
    error_text="No valid attention backend found for cpu. kv_cache_dtype not supported",
    fix="Leave kv_cache.dtype out.",
    source="vLLM 0.32.0 vllm/v1/attention/backends/cpu_attn.py supported_kv_cache_dtypes",
    triggers=("gpu:cpu",),
)
def cache_type_not_on_cpu(subject: Subject) -> Iterable[Finding]:
    """kv_cache_dtype that CPU_ATTN does not list."""
    asked, key = subject.text("kv_cache_dtype"), subject.key("kv_cache_dtype")
    if key is not None and subject.target.gpu.is_cpu and asked not in CPU_CACHE_TYPES:
        yield Finding(message=f"a CPU keeps no {asked} KV cache: leave it out, or take fp8", key=key)


@rule(
    code="SV372",
    name="vllm-nvfp4-not-on-cpu",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.20",
    summary="NVFP4 weights have no kernel on a CPU.",
    explanation="vLLM chooses a kernel for the weights by platform, and for NVFP4 there is none for CPUs.",
    error_text="ValueError: Failed to find a kernel that can implement the NVFP4 linear layer.",
    fix="Take a checkpoint in bfloat16, INT8, FP8 or with 4-bit integers.",
    source="vLLM 0.32.0 vllm/model_executor/kernels/linear/__init__.py: the NVFP4 kernels name CUDA and ROCm alone",
    triggers=("gpu:cpu",),
)
def nvfp4_not_on_cpu(subject: Subject) -> Iterable[Finding]:
    """NVFP4 weights on a CPU."""
    facts = subject.model.quantization
    if subject.target.gpu.is_cpu and facts and any(form.name == "nvfp4" for _, form in facts.formats):
        yield Finding(
            message=f"{subject.model.id} is in NVFP4, for which vLLM has no kernel on a CPU",
            key="hardware.gpu",
        )
