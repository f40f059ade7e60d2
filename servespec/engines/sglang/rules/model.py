"""What SGLang, a checkpoint and GPUs cannot do together, or do otherwise than one thinks."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.sglang.drafts import drafts_with_target
from servespec.engines.sglang.rules.view import (
    algorithm,
    algorithm_key,
    tensor_parallel,
    tensor_parallel_key,
)
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV350",
    name="sglang-vocabulary-not-divisible",
    severity=Severity.error,
    engine="sglang",
    versions="<0.4.4",
    summary="The padded vocabulary must divide over the ranks in older releases.",
    explanation="The embedding is split by rows of the vocabulary, padded to a multiple of 64. Newer "
    "releases pad to a multiple of the ranks too.",
    error_text="assert numerator % denominator == 0",
    fix="Choose a power of two, or a newer release.",
    source="sgl-project/sglang issue 3436; SGLang 0.5.23 srt/layers/vocab_parallel_embedding.py pads by "
    "the ranks",
    triggers=("parallel.tensor", "args.tp_size"),
)
def vocabulary_not_divisible(subject: Subject) -> Iterable[Finding]:
    """padded vocabulary % tp != 0."""
    ranks, vocabulary = tensor_parallel(subject), subject.model.vocab_size
    padded = -(-vocabulary // 64) * 64
    if vocabulary > 0 and padded % ranks and subject.model.attention_heads % ranks == 0:
        yield Finding(
            message=f"the vocabulary of {vocabulary:,} tokens, padded to {padded:,}, cannot be divided by {ranks} ranks",
            key=tensor_parallel_key(subject),
        )


@rule(
    code="SV351",
    name="sglang-draft-is-the-target",
    severity=Severity.warning,
    engine="sglang",
    summary="Speculation by a model without naming one loads the target twice, unless it brings layers to draft with.",
    explanation="Without speculative_draft_model_path SGLang takes the target's own checkpoint as the "
    "draft. That is right for models with multi-token prediction layers (DeepSeek V3, GLM, Qwen3-Next); "
    "any other is loaded a second time, and the GPU runs out of memory.",
    error_text="torch.OutOfMemoryError: CUDA out of memory",
    fix="Name the draft checkpoint in speculative.model.",
    source="zai-org/GLM-4.5 issue 3; SGLang 0.5.23 srt/arg_groups/speculative_hook.py _handle_eagle_family",
    triggers=("speculative", "args.speculative_algorithm"),
)
def draft_is_the_target(subject: Subject) -> Iterable[Finding]:
    """EAGLE, NEXTN or STANDALONE, no draft path, and no MTP layers."""
    found = algorithm(subject)
    if found != "EAGLE3" and drafts_with_target(subject.target):
        yield Finding(
            message=f"speculation by {found} without a draft model: {subject.model.architecture} brings no prediction layers, "
            "so the target itself is loaded twice",
            key=algorithm_key(subject),
        )


@rule(
    code="SV352",
    name="sglang-pool-below-context",
    severity=Severity.warning,
    engine="sglang",
    summary="The KV pool holds less than one request of the full context.",
    explanation="Where vLLM refuses to start, SGLang starts and refuses the long request when it comes.",
    error_text="Input length (A tokens) exceeds the maximum allowed length (B tokens). Use a shorter input "
    "or enable --allow-auto-truncate.",
    fix="Lower limits.max_model_len to what the pool holds, or make room.",
    source="sgl-project/sglang issue 4048; SGLang 0.5.23 srt/managers/tokenizer_manager.py",
)
def pool_below_context(subject: Subject) -> Iterable[Finding]:
    """kv_tokens < context_length."""
    budget, context = subject.budget, subject.integer("context_length")
    if budget is None or context is None or not 0 < budget.kv_tokens < context:
        return
    yield Finding(
        message=f"the KV pool holds {budget.kv_tokens:,} tokens, requests of up to {context:,} are accepted: longer ones are "
        "refused when they come",
        key=subject.key("context_length") or "limits",
    )


@rule(
    code="SV360",
    name="sglang-fixed-pool-cut",
    severity=Severity.warning,
    engine="sglang",
    summary="The KV pool that is asked for is larger than what is left for it.",
    explanation="max_total_tokens, which kv_cache.space_gib becomes, is an upper bound: SGLang takes the smaller of it and of "
    "what it finds free, and says so in a line of its log alone.",
    error_text="max_total_tokens=A is larger than the profiled value B. Use the profiled value instead.",
    fix="Lower kv_cache.space_gib (max_total_tokens), or make room.",
    source="SGLang 0.5.23 srt/mem_cache/kv_cache_configurator.py; before 0.5.10 srt/model_executor/model_runner.py",
    triggers=("kv_cache.space_gib", "args.max_total_tokens"),
)
def fixed_pool_cut(subject: Subject) -> Iterable[Finding]:
    """kv_tokens < max_total_tokens."""
    budget, asked = subject.budget, subject.integer("max_total_tokens")
    if budget is None or asked is None or not 0 < budget.kv_tokens < asked - budget.block_size:
        return
    yield Finding(
        message=f"{asked:,} tokens of KV cache are asked for, {budget.kv_tokens:,} "
        f"({budget.kv_cache_bytes / 2**30:.1f} GiB) are left: SGLang takes the smaller",
        key=subject.key("max_total_tokens") or "kv_cache.space_gib",
    )


@rule(
    code="SV353",
    name="sglang-fp8-experts-before-ada",
    severity=Severity.error,
    engine="sglang",
    versions="<0.5.13",
    summary="FP8 experts fail in Triton kernels below compute capability 8.9.",
    explanation="Dense FP8 layers fall back to Marlin on such cards, experts do not: the Triton kernel "
    "cannot take e4m3. Newer releases have a Marlin runner for experts (moe_runner_backend: marlin).",
    error_text="type fp8e4nv not supported in this architecture. The supported fp8 dtypes are ('fp8e4b15', "
    "'fp8e5')",
    fix="Use an AWQ or GPTQ checkpoint, vLLM, or a newer GPU.",
    source="sgl-project/sglang issue 12887; SGLang 0.4.9 to 0.5.10 srt/layers/quantization/fp8.py "
    "Fp8MoEMethod has no Marlin path",
    triggers=("model:moe",),
)
def fp8_experts_before_ada(subject: Subject) -> Iterable[Finding]:
    """FP8 experts on CUDA below 8.9."""
    gpu, facts = subject.target.gpu, subject.model.quantization
    if facts is None or subject.model.moe is None or gpu.kind != "cuda" or gpu.compute_capability is None:
        return
    if facts.method == "fp8" and gpu.compute_capability < (8, 9):
        yield Finding(
            message=f"{gpu.name} has no FP8 units, and SGLang {subject.version} has no other kernel for FP8 experts",
            key="hardware.gpu",
        )


# Methods that read one another's checkpoints: override_quantization_method and compatible_quantization_methods in
# srt/configs/model_config.py of SGLang 0.4.6, 0.4.9, 0.5.2, 0.5.6, 0.5.10, 0.5.17 and 0.5.23.
FAMILIES: tuple[frozenset[str], ...] = (
    frozenset({"awq", "awq_marlin", "marlin", "moe_wna16", "auto-round"}),
    frozenset({"gptq", "gptq_marlin", "gptq_marlin_24", "marlin", "moe_wna16", "auto-round"}),
    frozenset({"fp8", "w4afp8"}),
    frozenset({"compressed-tensors", "w8a8_int8", "w8a8_fp8"}),
    frozenset({"bitsandbytes"}),
)


@rule(
    code="SV354",
    name="sglang-quantization-not-of-checkpoint",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.1",
    summary="The quantization asked for is not the checkpoint's.",
    explanation="A checkpoint that is quantized already is read by its own method or one that converts it. Anything "
    "else is refused.",
    error_text="Quantization method specified in the model config (A) does not match the quantization method "
    "specified in the `quantization` argument (B).",
    fix="Leave model.quantization out: the checkpoint says it by itself.",
    source="SGLang 0.4.1 to 0.5.23 srt/configs/model_config.py _verify_quantization",
    triggers=("model.quantization", "args.quantization"),
)
def quantization_not_of_checkpoint(subject: Subject) -> Iterable[Finding]:
    """The asked method and the checkpoint's belong to different families."""
    pair, facts = subject.args.get("quantization"), subject.model.quantization
    asked = subject.spec.model.quantization or (pair[1] if pair else None)
    if not isinstance(asked, str) or facts is None:
        return
    asked, checkpoint = asked.lower(), facts.method.lower()
    known = frozenset().union(*FAMILIES)
    shared = any(asked in family and checkpoint in family for family in FAMILIES)
    if asked == checkpoint or shared or asked not in known or checkpoint not in known:
        return
    key = "model.quantization" if subject.spec.model.quantization else subject.key("quantization")
    yield Finding(
        message=f"the checkpoint is quantized with {checkpoint}, {asked} is asked for: SGLang refuses; leave the key out",
        key=key,
        fix=Fix("leave it to the checkpoint", changes=(Change(key, remove=True),)) if key else None,
    )
