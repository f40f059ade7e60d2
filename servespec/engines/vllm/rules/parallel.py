"""How vLLM divides a model over ranks, and what does not divide."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.vllm.rules.view import (
    data_parallel,
    expert_parallel,
    pipeline_parallel,
    pipeline_parallel_key,
    speculation,
    tensor_parallel,
    tensor_parallel_key,
)
from servespec.rules.base import Finding, rule
from servespec.rules.divide import possible, shares_heads
from servespec.rules.subject import Subject

TENSOR = ("parallel.tensor", "args.tensor_parallel_size", "args.tp")


@rule(
    code="SV320",
    name="vllm-heads-not-divisible",
    severity=Severity.error,
    engine="vllm",
    summary="Tensor parallelism must divide the attention heads.",
    explanation="Every rank computes an equal number of attention heads. vLLM refuses a tensor-parallel "
    "size that does not divide their number.",
    error_text="Total number of attention heads (A) must be divisible by tensor parallel size (B).",
    fix="Choose a tensor-parallel size that divides the heads; use pipeline parallelism for the rest.",
    source="vLLM 0.32.0 vllm/config/model.py verify_with_parallel_config",
    triggers=TENSOR,
)
def heads_not_divisible(subject: Subject) -> Iterable[Finding]:
    """attention heads % tp != 0."""
    ranks, heads = tensor_parallel(subject), subject.model.attention_heads
    if heads > 0 and heads % ranks:
        yield Finding(
            message=f"{heads} attention heads cannot be divided by tensor parallel size {ranks}"
            + possible(subject, shares_heads(0 if "model:mla" in subject.words else subject.model.kv_heads)),
            key=tensor_parallel_key(subject),
        )


@rule(
    code="SV321",
    name="vllm-kv-heads-not-divisible",
    severity=Severity.error,
    engine="vllm",
    summary="Key/value heads must divide evenly over the ranks, or the ranks over them.",
    explanation="With fewer ranks than key/value heads each rank gets an equal share; with more, each head "
    "is kept by an equal number of ranks. Anything between fails in the attention layer while the model is "
    "built.",
    error_text="assert self.total_num_kv_heads % tp_size == 0",
    fix="Choose a tensor-parallel size that divides the key/value heads or is a multiple of them.",
    source="vLLM 0.32.0 vllm/model_executor/models/llama.py LlamaAttention and the same in other families",
    triggers=TENSOR,
)
def kv_heads_not_divisible(subject: Subject) -> Iterable[Finding]:
    """kv heads and tp do not divide one another."""
    ranks, heads, kv_heads = tensor_parallel(subject), subject.model.attention_heads, subject.model.kv_heads
    if ranks == 1 or kv_heads <= 0 or "model:mla" in subject.words or heads % ranks:
        return
    if kv_heads % ranks and ranks % kv_heads:
        yield Finding(
            message=f"{kv_heads} key/value heads and {ranks} tensor-parallel ranks do not divide one another"
            + possible(subject, shares_heads(kv_heads)),
            key=tensor_parallel_key(subject),
        )


@rule(
    code="SV322",
    name="vllm-vocabulary-not-divisible",
    severity=Severity.error,
    engine="vllm",
    summary="The vocabulary, padded to a multiple of 64, must divide over the tensor-parallel ranks.",
    explanation="The embedding is split by rows of the vocabulary. vLLM pads it to a multiple of 64 and "
    "then divides it; a rank count that does not divide the padded size fails while the model is built.",
    error_text="AssertionError: A is not divisible by B",
    fix="Choose a tensor-parallel size that is a power of two.",
    source="vLLM 0.32.0 vllm/model_executor/layers/vocab_parallel_embedding.py",
    triggers=TENSOR,
)
def vocabulary_not_divisible(subject: Subject) -> Iterable[Finding]:
    """padded vocabulary % tp != 0."""
    ranks, vocabulary = tensor_parallel(subject), subject.model.vocab_size
    padded = -(-vocabulary // 64) * 64
    if ranks > 1 and vocabulary > 0 and padded % ranks and not subject.model.attention_heads % ranks:
        yield Finding(
            message=f"the vocabulary of {vocabulary:,} tokens, padded to {padded:,}, cannot be divided by tensor "
            f"parallel size {ranks}" + possible(subject, lambda size: padded % size == 0),
            key=tensor_parallel_key(subject),
        )


@rule(
    code="SV323",
    name="vllm-more-ranks-than-gpus",
    severity=Severity.error,
    engine="vllm",
    summary="Tensor × pipeline × data parallel ranks need as many GPUs.",
    explanation="Each rank takes a GPU of its own. On one node vLLM refuses a tensor × pipeline size above "
    "the visible GPUs; data-parallel replicas beyond them fail when they take their device.",
    error_text="World size (A) is larger than the number of available GPUs (B) in this node.",
    fix="Lower parallel.tensor, pipeline or data, or raise hardware.count or nodes.",
    source="vLLM 0.32.0 vllm/config/parallel.py",
    triggers=(
        "parallel",
        "args.tensor_parallel_size",
        "args.pipeline_parallel_size",
        "args.data_parallel_size",
    ),
)
def more_ranks_than_gpus(subject: Subject) -> Iterable[Finding]:
    """tp * pp * dp > GPUs."""
    if subject.target.gpu.is_cpu:
        return
    hardware = subject.spec.hardware
    gpus = hardware.count * hardware.nodes
    sizes = (tensor_parallel(subject), pipeline_parallel(subject), data_parallel(subject))
    ranks = sizes[0] * sizes[1] * sizes[2]
    if ranks > gpus:
        largest = max(range(3), key=lambda i: sizes[i])
        names = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
        keys = ("parallel.tensor", "parallel.pipeline", "parallel.data")
        yield Finding(
            message=f"tensor {sizes[0]} × pipeline {sizes[1]} × data {sizes[2]} needs {ranks} GPUs, "
            f"{hardware.nodes} × {hardware.count} = {gpus} are there",
            key=subject.key(names[largest]) or keys[largest],
        )


@rule(
    code="SV324",
    name="vllm-expert-parallel-without-experts",
    severity=Severity.error,
    engine="vllm",
    summary="Expert parallelism needs a model with experts.",
    explanation="Whole experts are spread over the ranks; a dense model has none and vLLM refuses.",
    error_text="Number of experts in the model must be greater than 0 when expert parallelism is enabled.",
    fix="Remove parallel.expert.",
    source="vLLM 0.32.0 vllm/config/model.py _verify_with_expert_parallelism",
    triggers=("parallel.expert", "args.enable_expert_parallel"),
)
def expert_parallel_without_experts(subject: Subject) -> Iterable[Finding]:
    """expert parallelism on a dense model."""
    if expert_parallel(subject) and subject.model.moe is None:
        key = subject.key("enable_expert_parallel") or "parallel.expert"
        yield Finding(
            message=f"expert parallelism is on, but {subject.model.architecture} has no experts: vLLM refuses",
            key=key,
            fix=Fix("remove it", changes=(Change(key, remove=True),)),
        )


@rule(
    code="SV325",
    name="vllm-experts-not-divisible",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.9",
    summary="With EPLB, experts and redundant experts together must divide over the expert-parallel ranks.",
    explanation="The load balancer places experts + num_redundant_experts on tensor × data parallel ranks, "
    "an equal number on each.",
    error_text="n_physical_experts=A must be divisible by ep_size=B. Adjust num_redundant_experts.",
    fix="Set num_redundant_experts in eplb_config so that the sum divides.",
    source="vLLM 0.32.0 vllm/model_executor/layers/fused_moe; vllm-project/vllm issue 52435",
    triggers=("args.enable_eplb",),
)
def experts_not_divisible(subject: Subject) -> Iterable[Finding]:
    """(experts + redundant) % (tp * dp) != 0 under EPLB."""
    moe = subject.model.moe
    if moe is None or not subject.flag("enable_eplb") or not expert_parallel(subject):
        return
    redundant = subject.mapping("eplb_config").get("num_redundant_experts", 0)
    ranks = tensor_parallel(subject) * data_parallel(subject)
    if isinstance(redundant, int) and (moe.experts + redundant) % ranks:
        yield Finding(
            message=f"{moe.experts} experts + {redundant} redundant ones cannot be divided by {ranks} expert-parallel "
            f"ranks: set num_redundant_experts to {-moe.experts % ranks}",
            key=subject.key("eplb_config") or subject.key("enable_eplb"),
        )


@rule(
    code="SV326",
    name="vllm-eplb-without-expert-parallel",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.9.2",
    summary="enable_eplb needs expert parallelism, on more than one GPU that is no CPU.",
    explanation="The load balancer moves experts between expert-parallel ranks; without them there is "
    "nothing to move.",
    error_text="enable_expert_parallel must be True to use EPLB.",
    fix="Set parallel.expert: true and more than one rank, or remove enable_eplb.",
    source="vLLM 0.32.0 vllm/config/parallel.py _validate_parallel_config",
    triggers=("args.enable_eplb",),
)
def eplb_without_expert_parallel(subject: Subject) -> Iterable[Finding]:
    """enable_eplb without expert parallelism, without ranks, or on a CPU."""
    if not subject.flag("enable_eplb"):
        return
    key = subject.key("enable_eplb")
    if subject.target.gpu.is_cpu:
        yield Finding(message="enable_eplb is refused on a CPU: it needs CUDA, ROCm or XPU devices", key=key)
    elif not expert_parallel(subject):
        yield Finding(message="enable_eplb needs parallel.expert: true", key=key)
    elif tensor_parallel(subject) * data_parallel(subject) == 1:
        yield Finding(message="enable_eplb needs tensor or data parallelism above 1", key=key)


@rule(
    code="SV327",
    name="vllm-redundant-experts-without-eplb",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.10.1",
    summary="num_redundant_experts without enable_eplb is refused.",
    explanation="Redundant experts are copies that the load balancer places; without it they have no use.",
    error_text="num_redundant_experts is set to A but EPLB is not enabled. Either enable EPLB or unset "
    "num_redundant_experts.",
    fix="Add enable_eplb: true or remove num_redundant_experts.",
    source="vLLM 0.32.0 vllm/config/parallel.py _validate_parallel_config",
    triggers=("args.eplb_config",),
)
def redundant_experts_without_eplb(subject: Subject) -> Iterable[Finding]:
    """num_redundant_experts > 0 and no EPLB."""
    redundant = subject.mapping("eplb_config").get("num_redundant_experts", 0)
    if redundant and not subject.flag("enable_eplb"):
        yield Finding(
            message=f"eplb_config asks for {redundant} redundant experts, but enable_eplb is not set",
            key=subject.key("eplb_config"),
        )


@rule(
    code="SV328",
    name="vllm-pipeline-with-speculation",
    severity=Severity.error,
    engine="vllm",
    versions="<0.9",
    summary="Speculative decoding with pipeline parallelism is not supported.",
    explanation="The drafts of one step must be verified before the next; older releases do not carry them "
    "through pipeline stages and refuse.",
    error_text="Speculative decoding is not yet compatible with pipeline parallelism.",
    fix="Use tensor parallelism alone, or leave speculation out.",
    source="vLLM 0.8.5 vllm/v1/worker/gpu_model_runner.py; vllm-project/vllm issues 14117, 7456",
    triggers=(
        "speculative",
        "args.speculative_config",
        "args.speculative_model",
        "args.num_speculative_tokens",
    ),
)
def pipeline_with_speculation(subject: Subject) -> Iterable[Finding]:
    """pp > 1 and speculation."""
    asked = speculation(subject) or subject.is_given("speculative_model", "num_speculative_tokens")
    if asked and pipeline_parallel(subject) > 1:
        yield Finding(
            message=f"pipeline parallelism of {pipeline_parallel(subject)} stages and speculative decoding are refused "
            f"together by vLLM {subject.version}",
            key=pipeline_parallel_key(subject),
        )
