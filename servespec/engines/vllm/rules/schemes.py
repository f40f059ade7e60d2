"""What single schemes of a checkpoint, or single architectures, ask of the GPU and its kernels in vLLM."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.vllm.rules.view import capability, quantization
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject
from servespec.rules.versions import holds

# (format of the checkpoint, versions, least capability): get_min_capability of
# compressed_tensors/schemes/*.py in vLLM 0.6.0, 0.7.3, 0.9.2, 0.11.2, 0.13.0, 0.14.1, 0.17.0, 0.25.1 and 0.32.0.
# FP8 with quantized activations needs 8.9 and falls back to weights alone, whose figure counts.
LEAST_OF_SCHEME: tuple[tuple[str, str, int], ...] = (
    ("pack-quantized", "<0.13", 80),
    ("pack-quantized", ">=0.13", 75),
    ("int-quantized", "", 75),
    ("fp8", "<0.17", 80),
    ("fp8", ">=0.17", 75),
    ("nvfp4", "<0.17", 80),
    ("nvfp4", ">=0.17", 75),
)


@rule(
    code="SV339",
    name="vllm-scheme-needs-newer-gpu",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.5",
    summary="A scheme of a compressed-tensors checkpoint needs a GPU of a higher compute capability.",
    explanation="The method as such runs from 7.0 on, but each scheme has kernels of its own: packed "
    "weights of 4 or 8 bits need 7.5 (8.0 before 0.13), 8-bit integers 7.5, FP8 8.0 before 0.17.",
    error_text="('Quantization scheme is not supported for ', 'the current GPU. Min capability: 80. ', "
    "'Current capability: 75.')",
    fix="Use another GPU, an AWQ or GPTQ checkpoint, or a newer release.",
    source="vLLM 0.6.0 to 0.32.0 vllm/model_executor/layers/quantization/compressed_tensors/schemes "
    "get_min_capability",
    triggers=("model:quantized",),
)
def scheme_needs_newer_gpu(subject: Subject) -> Iterable[Finding]:
    """Capability below a scheme's least."""
    found, facts = capability(subject), subject.model.quantization
    if found is None or facts is None or quantization(subject) != "compressed-tensors":
        return
    version = subject.version
    for name in {form.name for _, form in facts.formats}:
        for form, versions, least in LEAST_OF_SCHEME:
            if name == form and holds(versions, version) and found < least:
                yield Finding(
                    message=f"{name} weights need compute capability {least / 10:.1f} in vLLM {version}; "
                    f"{subject.target.gpu.name} has {found / 10:.1f}",
                    key="hardware.gpu",
                )


@rule(
    code="SV267",
    name="vllm-backend-without-sinks",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.10.1",
    summary="gpt-oss needs an attention backend with sinks.",
    explanation="Its attention has a learned sink. On CUDA FLASH_ATTN has it on Hopper (version 3) and in "
    "some builds on Blackwell, FLASHINFER by the TensorRT-LLM kernels of data-centre Blackwell, "
    "TRITON_ATTN everywhere. Left alone vLLM takes one that has it.",
    error_text="Some attention backends are not valid for cuda with AttentionSelectorConfig(... "
    "has_sink=True ...). Reasons: {FLASH_ATTN: [sink setting not supported], FLASHINFER: [sink setting not "
    "supported]\nSinks are only supported in FlashAttention 3",
    fix="Leave attention_backend out, or use TRITON_ATTN.",
    source="vLLM 0.32.0 vllm/v1/attention/backends/flashinfer.py and flash_attn.py supports_sink; "
    "vllm-project/vllm issue 40153",
    triggers=("args.attention_backend", "env.VLLM_ATTENTION_BACKEND"),
)
def backend_without_sinks(subject: Subject) -> Iterable[Finding]:
    """gpt-oss with a backend that cannot have sinks on this GPU."""
    found = capability(subject)
    if subject.model.model_type != "gpt_oss" or found is None:
        return
    asked = (subject.text("attention_backend") or str(subject.env.get("VLLM_ATTENTION_BACKEND", ""))).upper()
    without = (asked.startswith("FLASH_ATTN") and found < 90) or (
        asked == "FLASHINFER" and not 100 <= found < 120
    )
    if without and not (asked == "FLASHINFER" and found == 90 and holds(">=0.30", subject.version)):
        key = subject.key("attention_backend")
        yield Finding(
            message=f"{asked} has no attention sinks on {subject.target.gpu.name}, which gpt-oss needs: leave the backend out",
            key=key or "env.VLLM_ATTENTION_BACKEND",
            fix=Fix("leave it to vLLM", changes=(Change(key, remove=True, safe=False),)) if key else None,
        )


@rule(
    code="SV268",
    name="vllm-fp8-kv-cache-before-ada",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11,<0.12",
    summary="In 0.11 an FP8 KV cache fails below compute capability 8.9.",
    explanation="FlashAttention 2 has no FP8 cache, so 0.11 takes Triton kernels, which cannot convert "
    "e4m3 before Ada. Later releases prefer FlashInfer, which can (see SV305); before 0.11 the old engine "
    "took over.",
    error_text="type fp8e4nv not supported in this architecture. The supported fp8 dtypes are ('fp8e4b15', "
    "'fp8e5')",
    fix="Use kv_cache.dtype: fp8_e5m2 or auto, or a newer release.",
    source="vllm-project/vllm issue 26431 (0.11.0, RTX 3090)",
    triggers=("kv_cache.dtype", "args.kv_cache_dtype"),
)
def fp8_kv_cache_before_ada(subject: Subject) -> Iterable[Finding]:
    """fp8 or fp8_e4m3 KV cache below 8.9, FlashInfer not asked for."""
    found = capability(subject)
    asked = subject.text("kv_cache_dtype") or subject.spec.kv_cache.dtype
    flashinfer = "FLASHINFER" in str(subject.env.get("VLLM_ATTENTION_BACKEND", "")).upper()
    if found is not None and found < 89 and asked in ("fp8", "fp8_e4m3") and not flashinfer:
        key = subject.key("kv_cache_dtype") or "kv_cache.dtype"
        yield Finding(
            message=f"a {asked} KV cache fails on {subject.target.gpu.name} (compute capability {found / 10:.1f}) in vLLM "
            f"{subject.version}: use fp8_e5m2",
            key=key,
            fix=Fix("use fp8_e5m2", changes=(Change(key, "fp8_e5m2", safe=False),)),
        )
