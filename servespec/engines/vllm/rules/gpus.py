"""GPUs that the published builds of vLLM have no code for."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.vllm.rules.view import capability
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

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
