"""Attention backends that are asked for by name, and that this release, model or GPU has no use for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.vllm.rules.view import capability
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

# Names of AttentionBackendEnum in vllm/v1/attention/backends/registry.py (0.13: vllm/attention/backends/registry.py) of
# 0.13.0 to 0.32.0, all together.
NAMES = frozenset(
    [
        "AMX_MLA",
        "B12X",
        "CPU_ATTN",
        "CPU_MLA",
        "CUSTOM",
        "CUTLASS_MLA",
        "CUTLASS_MSA",
        "FLASHINFER",
        "FLASHINFER_MLA",
        "FLASHINFER_MLA_SPARSE",
        "FLASHINFER_MLA_SPARSE_DSV4",
        "FLASHINFER_MLA_SPARSE_DSV41",
        "FLASHINFER_MLA_SPARSE_SM120",
        "FLASHINFER_MLA_SPARSE_SM90",
        "FLASHMLA",
        "FLASHMLA_MEGA_ATTN_DSV41",
        "FLASHMLA_SPARSE",
        "FLASHMLA_SPARSE_DSV4",
        "FLASHMLA_SPARSE_DSV41",
        "FLASH_ATTN",
        "FLASH_ATTN_DIFFKV",
        "FLASH_ATTN_MLA",
        "FLASH_ATTN_MLA_SPARSE",
        "FLEX_ATTENTION",
        "HPC_ATTN",
        "IPEX",
        "MINIMAX_M3_SPARSE",
        "NO_ATTENTION",
        "PALLAS",
        "ROCM_AITER_FA",
        "ROCM_AITER_MLA",
        "ROCM_AITER_MLA_SPARSE",
        "ROCM_AITER_TRITON_MLA",
        "ROCM_AITER_UNIFIED_ATTN",
        "ROCM_ATTN",
        "ROCM_FLASHMLA_SPARSE_DSV4",
        "ROCM_SEGMENTED_ATTN",
        "TOKENSPEED_MLA",
        "TORCH_SDPA",
        "TREE_ATTN",
        "TRITON_ATTN",
        "TRITON_ATTN_DIFFKV",
        "TRITON_FLASHINFER",
        "TRITON_FLASH_ATTN",
        "TRITON_MLA",
        "TRITON_MSA",
        "TURBOQUANT",
        "ULTRAQUANT",
        "XPU_MLA_SPARSE",
        "XFORMERS",
    ]
)
PLAIN = frozenset({"FLASH_ATTN", "FLASHINFER", "TRITON_ATTN", "FLEX_ATTENTION"})
# supports_compute_capability of 0.25.1 and 0.32.0, by the major number; those without a row take any.
MAJORS: dict[str, tuple[int, ...]] = {
    "FLASH_ATTN": (8, 9, 10, 11, 12),
    "FLASH_ATTN_MLA": (9,),
    "FLASHMLA": (9, 10),
    "FLASHINFER_MLA": (10,),
    "CUTLASS_MLA": (10,),
}
LATENT = frozenset({"FLASH_ATTN_MLA", "FLASHMLA", "FLASHINFER_MLA", "CUTLASS_MLA", "TRITON_MLA"})


@rule(
    code="SV368",
    name="vllm-attention-backend-cannot-serve",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.13",
    summary="The attention backend that is named cannot serve this model on this GPU.",
    explanation="A backend that is asked for is taken or refused, never replaced. Backends of multi-head latent attention "
    "(their names end in MLA) serve models with it and no others, and several are written for one generation of GPUs.",
    error_text="Selected backend AttentionBackendEnum.A is not valid for this configuration. Reason: [...]\n"
    "Unknown attention backend: 'A'. Valid options are: ...",
    fix="Leave args.attention_backend out: vLLM takes the best that is possible.",
    source="vLLM 0.13.0 to 0.32.0 AttentionBackendEnum; 0.25.1, 0.32.0 vllm/v1/attention/backend.py validate_configuration, "
    "backends' supports_compute_capability and is_mla",
    triggers=("args.attention_backend",),
)
def attention_backend_cannot_serve(subject: Subject) -> Iterable[Finding]:
    """Not a backend's name, a backend for another kind of attention, or for another GPU."""
    asked, key = subject.text("attention_backend"), subject.key("attention_backend")
    if asked is None or key is None or asked.lower() == "auto":
        return
    name = asked.upper()
    if name not in NAMES:
        near = get_close_matches(name, sorted(NAMES), 1)
        yield Finding(
            message=f"{asked!r} is no attention backend of vLLM"
            + (f"; did you mean {near[0]}?" if near else ""),
            key=key,
            fix=Fix(f"write {near[0]}", changes=(Change(key, near[0], safe=False),)) if near else None,
        )
        return
    found, is_latent = capability(subject), "model:mla" in subject.words
    if found is None:
        return
    if (name in LATENT and not is_latent) or (name in PLAIN and is_latent and not _has_latent_off(subject)):
        kind = "multi-head latent attention" if name in LATENT else "ordinary attention"
        yield Finding(message=f"{name} is for {kind}, which {subject.model.architecture} has not", key=key)
    elif found // 10 not in MAJORS.get(name, (found // 10,)):
        yield Finding(
            message=f"{name} has no kernels for {subject.target.gpu.name} (compute capability {found / 10:.1f})",
            key=key,
        )


def _has_latent_off(subject: Subject) -> bool:
    return subject.environment_is_on("VLLM_MLA_DISABLE")
