"""Quantization and number types that a release of vLLM, a GPU and a checkpoint do not share."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.vllm.resolution.model import FLOAT16_REFUSED
from servespec.engines.vllm.rules.quantization_methods import known_methods, lifetime
from servespec.engines.vllm.rules.view import (
    asked_quantization,
    capability,
    dtype,
    dtype_key,
    quantization,
    quantization_key,
)
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject
from servespec.rules.versions import holds

QUANTIZED = ("model.quantization", "args.quantization", "model:quantized")

# Methods that read one another's checkpoints: override_quantization_method of vLLM 0.6.0 to 0.32.0.
FAMILIES: tuple[frozenset[str], ...] = (
    frozenset({"awq", "awq_marlin", "auto_awq", "marlin", "moe_wna16", "humming", "inc", "ipex", "cpu_awq"}),
    frozenset(
        {
            "gptq",
            "gptq_marlin",
            "auto_gptq",
            "marlin",
            "moe_wna16",
            "humming",
            "inc",
            "ipex",
            "gptq_bitblas",
            "gptq_marlin_24",
            "bitblas",
            "cpu_gptq",
            "auto-round",
        }
    ),
    frozenset({"fp8", "deepseek_v4_fp8", "humming", "fbgemm_fp8"}),
    frozenset({"compressed-tensors", "humming"}),
    frozenset({"bitsandbytes"}),
)

# (methods, versions, least capability): get_min_capability in vllm/model_executor/layers/quantization/*.py of vLLM
# 0.4.1, 0.4.3, 0.5.0, 0.5.3, 0.6.0, 0.7.3, 0.8.5 … 0.32.0; between two of them the lower value is taken.
LEAST_CAPABILITY: tuple[tuple[frozenset[str], str, int], ...] = (
    (frozenset({"awq", "auto_awq", "torchao"}), "", 75),
    (frozenset({"awq_marlin", "gptq_marlin"}), "<0.14", 80),
    (frozenset({"awq_marlin", "gptq_marlin"}), ">=0.14", 75),
    (frozenset({"gptq", "auto_gptq"}), "", 60),
    (frozenset({"fp8"}), "<0.4.3", 90),
    (frozenset({"fp8"}), ">=0.4.3,<0.5.1", 89),
    (frozenset({"fp8"}), ">=0.5.1,<0.14", 80),
    (frozenset({"fp8"}), ">=0.14", 75),
    (frozenset({"modelopt"}), "<0.21", 89),
    (frozenset({"modelopt"}), ">=0.21", 80),
    (frozenset({"mxfp4", "experts_int8", "fbgemm_fp8"}), "", 80),
    (frozenset({"bitsandbytes", "compressed-tensors", "moe_wna16"}), "", 70),
    (frozenset({"fp_quant"}), "", 100),
)


@rule(
    code="SV330",
    name="vllm-quantization-unknown",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.6",
    summary="The quantization method is not one that this release knows.",
    explanation="Methods come and go between releases: bitsandbytes left with 0.28, gguf with 0.24, marlin "
    "as a word with 0.10.2. A plug-in may bring a method back; then silence this rule with a reason.",
    error_text="Unknown quantization method: A. Must be one of [...]",
    fix="Use a method of this release, or the release that still has it.",
    source="vLLM 0.32.0 vllm/config/model.py _verify_quantization; QUANTIZATION_METHODS of every release",
    triggers=QUANTIZED,
)
def quantization_unknown(subject: Subject) -> Iterable[Finding]:
    """The asked method, or the checkpoint's, is not known to the release."""
    method, version = quantization(subject), subject.version
    if method is None or method in known_methods(version):
        return
    checkpoint = subject.model.quantization.method.lower() if subject.model.quantization else None
    stretch = lifetime(method)
    if method == checkpoint and (stretch is None or method == "auto-round"):
        return  # vLLM maps some checkpoints' own words onto its methods
    if checkpoint not in (None, method) and _share_family(method, str(checkpoint)):
        return
    if stretch is None:
        near = get_close_matches(method, sorted(known_methods(version)), 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
    else:
        since, until = stretch
        hint = (
            f"; it was removed in {until}"
            if until and holds(f">={until}", version)
            else f"; it came with {since}"
        )
    key = quantization_key(subject)
    yield Finding(
        message=f"vLLM {version} knows no quantization method {method!r}{hint}",
        key=key,
        fix=Fix(f"write {near[0]}", changes=(Change(key, near[0], safe=False),))
        if stretch is None and near and key != "model.id"
        else None,
    )


@rule(
    code="SV331",
    name="vllm-quantization-not-of-checkpoint",
    severity=Severity.error,
    engine="vllm",
    summary="The quantization asked for is not the checkpoint's.",
    explanation="A checkpoint that is quantized already can only be read by its own method or one that "
    "converts it (awq and awq_marlin, gptq and gptq_marlin). Anything else is refused. To quantize while "
    "loading, take the unquantized checkpoint.",
    error_text="Quantization method specified in the model config (A) does not match the quantization "
    "method specified in the `quantization` argument (B).",
    fix="Leave model.quantization out: the checkpoint says it by itself.",
    source="vLLM 0.32.0 vllm/config/model.py _verify_quantization",
    triggers=("model.quantization", "args.quantization"),
)
def quantization_not_of_checkpoint(subject: Subject) -> Iterable[Finding]:
    """The asked method and the checkpoint's belong to different families."""
    asked, facts = asked_quantization(subject), subject.model.quantization
    if asked is None or facts is None:
        return
    checkpoint = facts.method.lower()
    known = frozenset().union(*FAMILIES)
    if (
        asked == checkpoint
        or asked not in known
        or checkpoint not in known
        or _share_family(asked, checkpoint)
    ):
        return
    key = quantization_key(subject)
    yield Finding(
        message=f"the checkpoint is quantized with {checkpoint}, {asked} is asked for: vLLM refuses; leave the key out",
        key=key,
        fix=Fix("leave it to the checkpoint", changes=(Change(key, remove=True),)),
    )


def _share_family(left: str, right: str) -> bool:
    return any(left in family and right in family for family in FAMILIES)


@rule(
    code="SV332",
    name="vllm-quantization-needs-newer-gpu",
    severity=Severity.error,
    engine="vllm",
    summary="The quantization method needs a GPU of a higher compute capability.",
    explanation="Every method has a least compute capability in each release. FP8 needed 9.0 in 0.4.1, 8.9 "
    "up to 0.5.0, 8.0 with the Marlin kernels that came after, 7.5 since 0.14: below 8.9 it then runs as "
    "weight-only FP8.",
    error_text="The quantization method A is not supported for the current GPU. Minimum capability: B. "
    "Current capability: C.",
    fix="Use another GPU, another method, or a release whose kernels reach this GPU.",
    source="vLLM 0.32.0 vllm/config/vllm.py _get_quantization_config and get_min_capability of each method",
    triggers=QUANTIZED,
)
def quantization_needs_newer_gpu(subject: Subject) -> Iterable[Finding]:
    """Capability below the method's least."""
    found, method, version = capability(subject), quantization(subject), subject.version
    if found is None or method is None:
        return
    for methods, versions, least in LEAST_CAPABILITY:
        if method in methods and holds(versions, version) and found < least:
            yield Finding(
                message=f"{method} needs compute capability {least / 10:.1f} in vLLM {version}; "
                f"{subject.target.gpu.name} has {found / 10:.1f}",
                key="hardware.gpu",
            )


@rule(
    code="SV333",
    name="vllm-bfloat16-needs-ampere",
    severity=Severity.error,
    engine="vllm",
    summary="bfloat16 needs compute capability 8.0.",
    explanation="GPUs before Ampere (T4, V100) cannot compute in bfloat16. With dtype auto vLLM takes "
    "float16 there by itself in newer releases; asked for in so many words it is refused.",
    error_text="Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your A GPU has "
    "compute capability B. You can use float16 instead by explicitly setting the `dtype` flag in CLI, for "
    "example: --dtype=half.",
    fix="Set model.dtype: float16.",
    source="vLLM 0.32.0 vllm/platforms/cuda.py check_if_supports_dtype",
    triggers=("model.dtype", "args.dtype"),
)
def bfloat16_needs_ampere(subject: Subject) -> Iterable[Finding]:
    """dtype bfloat16 below 8.0."""
    found = capability(subject)
    if found is None or found >= 80 or dtype(subject) != "bfloat16":
        return
    key = dtype_key(subject)
    yield Finding(
        message=f"{subject.target.gpu.name} has compute capability {found / 10:.1f}; bfloat16 needs 8.0: use float16",
        key=key,
        fix=Fix("use float16", changes=(Change(key, "float16", safe=False),)),
    )


@rule(
    code="SV335",
    name="vllm-awq-needs-float16",
    severity=Severity.error,
    engine="vllm",
    versions="<0.21",
    summary="The awq kernels of older releases compute in float16 alone.",
    explanation="Asked for as awq (not left to the checkpoint, where newer GPUs take awq_marlin), or "
    "before 0.5.3 always, the method refuses bfloat16, which is what dtype auto takes for a bfloat16 "
    "checkpoint.",
    error_text="torch.bfloat16 is not supported for quantization method awq. Supported dtypes: "
    "[torch.float16]",
    fix="Set model.dtype: float16, or leave the quantization to the checkpoint.",
    source="vLLM 0.4.1, 0.8.5, 0.20.0 vllm/model_executor/layers/quantization/awq.py "
    "get_supported_act_dtypes",
    triggers=QUANTIZED,
)
def awq_needs_float16(subject: Subject) -> Iterable[Finding]:
    """awq asked for, activations in bfloat16."""
    asked = asked_quantization(subject)
    if quantization(subject) != "awq" or (asked != "awq" and not holds("<0.5.3", subject.version)):
        return
    chosen = dtype(subject)
    found = capability(subject)
    if chosen is None and found is not None and found < 80:
        return
    if (chosen or subject.model.dtype) == "bfloat16":
        yield Finding(
            message=f"awq computes in float16 alone in vLLM {subject.version}, the activations would be "
            "bfloat16: set model.dtype to float16 or leave the quantization to the checkpoint",
            key=dtype_key(subject) if chosen else quantization_key(subject),
            fix=Fix("compute in float16", changes=(Change("model.dtype", "float16", safe=False),)),
        )


@rule(
    code="SV336",
    name="vllm-method-needs-bfloat16",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.10.1",
    summary="mxfp4 computes in bfloat16 alone.",
    explanation="The MXFP4 kernels take bfloat16 activations; another dtype is refused.",
    error_text="torch.float16 is not supported for quantization method mxfp4. Supported dtypes: "
    "[torch.bfloat16]",
    fix="Leave model.dtype out or set bfloat16.",
    source="vLLM 0.10.2, 0.32.0 vllm/model_executor/layers/quantization/mxfp4.py get_supported_act_dtypes",
    triggers=("model.dtype", "args.dtype"),
)
def method_needs_bfloat16(subject: Subject) -> Iterable[Finding]:
    """mxfp4 with float16 or float32."""
    chosen, method = dtype(subject), quantization(subject)
    if chosen is not None and chosen != "bfloat16" and method in ("mxfp4", "gpt_oss_mxfp4"):
        key = dtype_key(subject)
        yield Finding(
            message=f"{method} computes in bfloat16 alone, {chosen} is asked for",
            key=key,
            fix=Fix("leave the type to the checkpoint", changes=(Change(key, remove=True, safe=False),)),
        )


# get_supported_act_dtypes of 0.8.5, 0.25.1 and 0.32.0 without torch.float32; compressed-tensors, bitsandbytes, torchao have it.
NEVER_FLOAT32 = frozenset(
    {
        "auto_awq",
        "auto_gptq",
        "awq",
        "awq_marlin",
        "experts_int8",
        "fbgemm_fp8",
        "fp8",
        "gptq",
        "gptq_marlin",
        "modelopt",
        "modelopt_fp4",
        "modelopt_mxfp8",
        "moe_wna16",
    }
)


@rule(
    code="SV366",
    name="vllm-quantized-in-float32",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.5",
    summary="Most quantization methods compute in float16 and bfloat16 alone.",
    explanation="Their kernels take no float32 activations; vLLM refuses the type before it loads anything.",
    error_text="torch.float32 is not supported for quantization method awq. Supported dtypes: [torch.float16, "
    "torch.bfloat16]",
    fix="Leave model.dtype out.",
    source="vLLM 0.8.5, 0.25.1, 0.32.0 vllm/model_executor/layers/quantization/*.py get_supported_act_dtypes",
    triggers=("model.dtype", "args.dtype"),
)
def quantized_in_float32(subject: Subject) -> Iterable[Finding]:
    """float32 with a method whose kernels lack it."""
    method = quantization(subject)
    if dtype(subject) == "float32" and method in NEVER_FLOAT32:
        key = dtype_key(subject)
        yield Finding(
            message=f"{method} weights are refused in float32: leave the type to the checkpoint",
            key=key,
            fix=Fix("leave the type to the checkpoint", changes=(Change(key, remove=True, safe=False),)),
        )


@rule(
    code="SV337",
    name="vllm-model-refuses-float16",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.9",
    summary="Gemma 2, Gemma 3 and GLM-4 are refused in float16.",
    explanation="Their activations overflow float16; vLLM refuses rather than answer nonsense.",
    error_text="The model type 'gemma2' does not support float16. Reason: Numerical instability. Please "
    "use bfloat16 or float32 instead.",
    fix="Set model.dtype: bfloat16.",
    source="vLLM 0.9.2, 0.32.0 vllm/config/model.py _FLOAT16_NOT_SUPPORTED_MODELS",
    triggers=("model.dtype", "args.dtype"),
)
def model_refuses_float16(subject: Subject) -> Iterable[Finding]:
    """float16 for a family whose activations overflow."""
    if dtype(subject) == "float16" and subject.model.model_type in FLOAT16_REFUSED:
        key = dtype_key(subject)
        yield Finding(
            message=f"{subject.model.model_type} is refused in float16 (its activations overflow): use bfloat16",
            key=key,
            fix=Fix("use bfloat16", changes=(Change(key, "bfloat16", safe=False),)),
        )


@rule(
    code="SV338",
    name="vllm-quantization-deprecated",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.20",
    summary="fbgemm_fp8 and fp_quant need allow_deprecated_quantization.",
    explanation="The two methods are going away; vLLM refuses them unless told to go on.",
    error_text="The quantization method %s is deprecated and will be removed in future versions of vLLM. "
    "To bypass, set `--allow-deprecated-quantization`.",
    fix="Use another checkpoint, or set allow_deprecated_quantization: true for now.",
    source="vLLM 0.32.0 vllm/config/model.py _verify_quantization",
    triggers=QUANTIZED,
)
def quantization_deprecated(subject: Subject) -> Iterable[Finding]:
    """A deprecated method without the override."""
    method = quantization(subject)
    if method in ("fbgemm_fp8", "fp_quant") and not subject.flag("allow_deprecated_quantization"):
        yield Finding(
            message=f"{method} is deprecated and refused without allow_deprecated_quantization: true",
            key=quantization_key(subject),
        )
