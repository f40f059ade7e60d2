"""Attention backends of SGLang that are asked for by name and have no kernels for the GPU."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

# The major numbers of compute capability that each takes.
MAJORS: dict[str, tuple[int, ...]] = {
    "fa3": (8, 9),
    "trtllm_mha": (9, 10, 11, 12),
    "trtllm_mla": (10, 11, 12),
}


@rule(
    code="SV373",
    name="sglang-attention-backend-of-another-gpu",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.2",
    summary="The attention backend that is named has no kernels for the GPU.",
    explanation="FlashAttention 3 runs on Ampere, Ada and Hopper (for latent attention on Hopper alone), TensorRT-LLM's kernels "
    "on Blackwell, those of ordinary attention on Hopper too.",
    error_text="AssertionError: FlashAttention v3 Backend requires SM>=80 and SM<=90. Please use `--attention-backend "
    "flashinfer`.\nTRTLLM MLA backend is only supported on Blackwell GPUs (SM100/SM12x). Please use a different backend.",
    fix="Leave args.attention_backend out: SGLang takes what fits the GPU.",
    source="SGLang 0.5.23 srt/layers/attention/attention_registry.py, srt/arg_groups/overrides.py, attention_hook.py; 0.5.17 "
    "attention_registry.py",
    triggers=("args.attention_backend",),
)
def attention_backend_of_another_gpu(subject: Subject) -> Iterable[Finding]:
    """The backend's GPUs do not count this one."""
    pair, gpu = subject.args.get("attention_backend"), subject.target.gpu
    if pair is None or gpu.kind != "cuda" or gpu.compute_capability is None:
        return
    name, (major, minor) = str(pair[1]), gpu.compute_capability
    allowed = MAJORS.get(name)
    if name == "fa3" and "model:mla" in subject.words:
        allowed = (9,)
    if allowed is not None and major not in allowed:
        yield Finding(
            message=f"{name} has no kernels for {gpu.name} (compute capability {major}.{minor})",
            key=subject.key("attention_backend"),
        )
