"""Blocks of the KV cache that no attention kernel of vLLM takes."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

KERNEL_TOKENS = 16
"""What every backend's block is a multiple of: get_supported_kernel_block_sizes (16, 32, 64, 128), before 0.11
get_kv_cache_shape: “Block size must be a multiple of 16.”"""
SPARSE_TOKENS = 32
"""Sparse MLA: FlashMLA 64, FlashInfer 32 or 64."""


@rule(
    code="SV364",
    name="vllm-block-size-of-no-kernel",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.5",
    summary="A KV block must be a multiple of 16 tokens on a GPU, of 32 for sparse attention.",
    explanation="Attention kernels read the cache in pieces of 16 tokens or a multiple of that. With any other block size "
    "no backend is left, and vLLM does not start.",
    error_text="No valid attention backend found for cuda with ... Reasons: {...: [block_size not supported]}\n"
    "Block size must be a multiple of 16.",
    fix="Leave kv_cache.block_size out, or take 16, 32, 64 or 128.",
    source="vLLM 0.25.1, 0.32.0 vllm/v1/attention/backends/*.py get_supported_kernel_block_sizes, backend.py "
    "supports_block_size; 0.8.5 to 0.11.0 get_kv_cache_shape",
    triggers=("kv_cache.block_size", "args.block_size"),
)
def block_size_of_no_kernel(subject: Subject) -> Iterable[Finding]:
    """block_size is no multiple of what any kernel reads."""
    size = subject.integer("block_size")
    if size is None or subject.target.gpu.is_cpu or str(subject.value("engine")).lower() == "v0":
        return
    step = SPARSE_TOKENS if subject.model.extra.get("sparse_attention") else KERNEL_TOKENS
    if size % step:
        yield Finding(
            message=f"blocks of {size} tokens fit no attention kernel: take a multiple of {step}",
            key=subject.key("block_size"),
        )
