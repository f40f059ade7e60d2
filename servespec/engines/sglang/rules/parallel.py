"""How SGLang divides a model over ranks and nodes, and what does not divide."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.sglang.rules.view import (
    algorithm,
    algorithm_key,
    attention_parallel,
    data_parallel,
    nodes,
    pipeline_parallel,
    tensor_parallel,
    tensor_parallel_key,
)
from servespec.rules.base import Finding, rule
from servespec.rules.divide import possible, shares_heads
from servespec.rules.subject import Subject

TENSOR = ("parallel.tensor", "args.tp_size")


@rule(
    code="SV340",
    name="sglang-heads-not-divisible",
    severity=Severity.error,
    engine="sglang",
    summary="Tensor parallelism must divide the attention heads, those of a vision tower too.",
    explanation="Every rank of an attention group computes an equal number of heads; so it is in the "
    "vision tower, unless mm_enable_dp_encoder runs a whole tower on each rank.",
    error_text="AssertionError: A is not divisible by B",
    fix="Choose a tensor-parallel size that divides the heads.",
    source="SGLang 0.5.23 srt/models/llama.py and others: assert self.total_num_heads % attn_tp_size == 0; "
    "gpustack/gpustack issue 4769",
    triggers=TENSOR,
)
def heads_not_divisible(subject: Subject) -> Iterable[Finding]:
    """heads % attention ranks != 0, or vision heads % tp != 0."""
    ranks = tensor_parallel(subject)
    groups = attention_parallel(subject)
    attention_ranks = ranks // groups if ranks % groups == 0 else ranks
    heads = subject.model.attention_heads
    key = tensor_parallel_key(subject)
    if heads > 0 and heads % attention_ranks:
        yield Finding(
            message=f"{heads} attention heads cannot be divided by {attention_ranks} ranks"
            + possible(subject, shares_heads(0 if "model:mla" in subject.words else subject.model.kv_heads)),
            key=key,
        )
        return
    vision = subject.model.vision
    if vision is None or vision.heads <= 0 or subject.flag("mm_enable_dp_encoder"):
        return
    if vision.heads % attention_ranks:
        yield Finding(
            message=f"{vision.heads} attention heads of the vision tower cannot be divided by {attention_ranks} ranks"
            + possible(subject, lambda size: vision.heads % size == 0)
            + ", or mm_enable_dp_encoder: true",
            key=key,
        )


@rule(
    code="SV341",
    name="sglang-kv-heads-not-divisible",
    severity=Severity.error,
    engine="sglang",
    summary="Key/value heads must divide evenly over the ranks, or the ranks over them.",
    explanation="With fewer ranks than key/value heads each rank gets an equal share; with more, each head "
    "is kept by an equal number of ranks.",
    error_text="assert self.total_num_kv_heads % attn_tp_size == 0",
    fix="Choose a tensor-parallel size that divides the key/value heads or is a multiple of them.",
    source="SGLang 0.5.23 srt/models/llama.py and others",
    triggers=TENSOR,
)
def kv_heads_not_divisible(subject: Subject) -> Iterable[Finding]:
    """kv heads and attention ranks do not divide one another."""
    ranks, groups = tensor_parallel(subject), attention_parallel(subject)
    if ranks % groups or "model:mla" in subject.words:
        return
    ranks //= groups
    heads, kv_heads = subject.model.attention_heads, subject.model.kv_heads
    if ranks > 1 and kv_heads > 0 and heads % ranks == 0 and kv_heads % ranks and ranks % kv_heads:
        yield Finding(
            message=f"{kv_heads} key/value heads and {ranks} ranks do not divide one another"
            + possible(subject, shares_heads(kv_heads)),
            key=tensor_parallel_key(subject),
        )


@rule(
    code="SV342",
    name="sglang-more-ranks-than-gpus",
    severity=Severity.error,
    engine="sglang",
    summary="The ranks need more GPUs than there are.",
    explanation="Tensor × pipeline ranks take a GPU each; data-parallel replicas of the whole model "
    "multiply them, data-parallel attention lives inside of the tensor-parallel ranks.",
    error_text="RuntimeError: CUDA error: invalid device ordinal",
    fix="Lower parallel.tensor, pipeline or data, or raise hardware.count or nodes.",
    source="SGLang 0.5.23 srt/entrypoints/engine.py _launch_scheduler_processes; "
    "srt/managers/data_parallel_controller.py",
    triggers=("parallel", "args.tp_size", "args.pp_size", "args.dp_size"),
)
def more_ranks_than_gpus(subject: Subject) -> Iterable[Finding]:
    """tp * pp * replicas > GPUs."""
    if subject.target.gpu.is_cpu:
        return
    hardware = subject.spec.hardware
    gpus = hardware.count * hardware.nodes
    inside = attention_parallel(subject) > 1
    replicas = 1 if inside else data_parallel(subject)
    tensor, pipeline = tensor_parallel(subject), pipeline_parallel(subject)
    if tensor * pipeline * replicas > gpus:
        widest = max(
            (tensor, "parallel.tensor"), (pipeline, "parallel.pipeline"), (replicas, "parallel.data")
        )[1]
        names = {"parallel.tensor": "tp_size", "parallel.pipeline": "pp_size", "parallel.data": "dp_size"}
        yield Finding(
            message=f"tensor {tensor} × pipeline {pipeline} × data {replicas} needs {tensor * pipeline * replicas} GPUs, "
            f"{hardware.nodes} × {hardware.count} = {gpus} are there",
            key=subject.key(names[widest]) or widest,
        )


@rule(
    code="SV343",
    name="sglang-nodes-do-not-divide-ranks",
    severity=Severity.error,
    engine="sglang",
    summary="The nodes must divide tensor × pipeline ranks.",
    explanation="Every node runs an equal number of ranks.",
    error_text="tp_size must be divisible by number of nodes",
    fix="Choose parallel.tensor × parallel.pipeline as a multiple of hardware.nodes.",
    source="SGLang 0.4.1 to 0.5.23 check_server_args",
    triggers=("args.nnodes", "hardware.nodes"),
)
def nodes_do_not_divide_ranks(subject: Subject) -> Iterable[Finding]:
    """tp * pp % nnodes != 0."""
    ranks, count = tensor_parallel(subject) * pipeline_parallel(subject), nodes(subject)
    if count > 1 and ranks % count:
        yield Finding(
            message=f"{ranks} rank{'s' if ranks > 1 else ''} cannot be divided over {count} nodes",
            key=subject.key("nnodes") or "hardware.nodes",
        )


@rule(
    code="SV344",
    name="sglang-replicas-over-nodes",
    severity=Severity.error,
    engine="sglang",
    summary="Data-parallel replicas of the whole model do not reach over nodes.",
    explanation="Replicas are started by one process on one node. Over several nodes use data-parallel "
    "attention, or a deployment on each node behind a router.",
    error_text="multi-node data parallel is not supported unless dp attention!\n"
    "multi-node data-parallel replicas are not supported; use attention DP (--attn-dp-size) across nodes",
    fix="Add enable_dp_attention: true, or use deploy.replicas.",
    source="SGLang 0.4.1 to 0.5.23 check_server_args",
    triggers=("args.nnodes", "hardware.nodes"),
)
def replicas_over_nodes(subject: Subject) -> Iterable[Finding]:
    """dp > 1 without attention DP and nnodes > 1."""
    if nodes(subject) > 1 and data_parallel(subject) > 1 and attention_parallel(subject) == 1:
        yield Finding(
            message=f"{data_parallel(subject)} data-parallel replicas over {nodes(subject)} nodes are refused: use "
            "data-parallel attention",
            key=subject.key("dp_size") or "parallel.data",
        )


@rule(
    code="SV345",
    name="sglang-attention-groups-do-not-divide",
    severity=Severity.error,
    engine="sglang",
    summary="Data-parallel attention must divide the tensor-parallel ranks.",
    explanation="The groups of data-parallel attention are parts of the tensor-parallel ranks.",
    error_text="assert cfg.tp_size % cfg.attn_dp_size == 0",
    fix="Choose a number of groups that divides parallel.tensor.",
    source="SGLang 0.4.6 to 0.5.23 handle_data_parallelism",
    triggers=("args.enable_dp_attention", "args.attn_dp_size"),
)
def attention_groups_do_not_divide(subject: Subject) -> Iterable[Finding]:
    """tp % attention groups != 0."""
    ranks, groups = tensor_parallel(subject), attention_parallel(subject)
    if groups > 1 and ranks % groups:
        yield Finding(
            message=f"{groups} groups of data-parallel attention do not divide {ranks} tensor-parallel ranks",
            key=subject.key("attn_dp_size") or subject.key("dp_size") or "parallel.data",
        )


@rule(
    code="SV346",
    name="sglang-two-kinds-of-data-parallel",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.22",
    summary="Replicas of the model and data-parallel attention exclude one another.",
    explanation="dp_size starts whole replicas, attn_dp_size splits attention inside of one.",
    error_text="data-parallel replicas combined with attention data parallelism are not supported.",
    fix="Keep one of dp_size and attn_dp_size.",
    source="SGLang 0.5.23 srt/arg_groups/parallel_hook.py handle_data_parallelism",
    triggers=("args.attn_dp_size",),
)
def two_kinds_of_data_parallel(subject: Subject) -> Iterable[Finding]:
    """attn_dp_size > 1 and dp_size > 1."""
    groups = subject.integer("attn_dp_size") or 1
    if groups > 1 and data_parallel(subject) > 1 and not subject.flag("enable_dp_attention"):
        yield Finding(
            message=f"dp_size {data_parallel(subject)} and attn_dp_size {groups} exclude one another",
            key=subject.key("attn_dp_size"),
        )


@rule(
    code="SV347",
    name="sglang-pipeline-with-speculation",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.9",
    summary="Pipeline parallelism does not go with speculative decoding.",
    explanation="Drafts are not carried through the stages. Newer releases allow EAGLE on the prefill "
    "nodes of a disaggregated deployment, or everywhere with SGLANG_ENABLE_PP_SPEC=1.",
    error_text="Pipeline parallelism is not compatible with overlap schedule, speculative decoding\n"
    "PP + speculative decoding (MTP) is only supported on prefill nodes (disaggregation-mode=prefill)",
    fix="Use tensor parallelism alone, or leave speculation out.",
    source="SGLang 0.4.9 to 0.5.23 check_server_args, check_pipeline_parallel_compat",
    triggers=("speculative", "args.speculative_algorithm"),
)
def pipeline_with_speculation(subject: Subject) -> Iterable[Finding]:
    """pp > 1 and speculation."""
    found = algorithm(subject)
    if found is None or pipeline_parallel(subject) <= 1:
        return
    prefill = subject.text("disaggregation_mode") == "prefill"
    if found in ("EAGLE", "NEXTN") and (prefill or subject.environment_is_on("SGLANG_ENABLE_PP_SPEC")):
        return
    yield Finding(
        message=f"{pipeline_parallel(subject)} pipeline stages and speculation by {found} are refused together",
        key=algorithm_key(subject),
    )


@rule(
    code="SV348",
    name="sglang-dense-tensor-parallel",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5",
    summary="moe_dense_tp_size is 1 or tp_size.",
    explanation="Dense layers of a mixture of experts are split over all ranks or over none.",
    error_text="moe_dense_tp_size only support 1 and None currently",
    fix="Set 1 or leave it out.",
    source="SGLang 0.5.13, 0.5.23 check_server_args",
    triggers=("args.moe_dense_tp_size",),
)
def dense_tensor_parallel(subject: Subject) -> Iterable[Finding]:
    """moe_dense_tp_size neither 1 nor tp_size."""
    size, ranks = subject.integer("moe_dense_tp_size"), tensor_parallel(subject)
    if size is not None and size not in (1, ranks):
        yield Finding(
            message=f"moe_dense_tp_size is {size}; it may be 1 or {ranks}",
            key=subject.key("moe_dense_tp_size"),
        )


@rule(
    code="SV349",
    name="sglang-moe-replicas-do-not-divide",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.10",
    summary="moe_dp_size must divide tp_size, and with ep_size make it up.",
    explanation="Expert groups are parts of the tensor-parallel ranks: ep_size × moe_dp_size may be at "
    "most tp_size, and equal to it once experts are spread. Pipeline parallelism is excluded.",
    error_text="tp_size must be divisible by moe_dp_size",
    fix="Choose moe_dp_size and ep_size so that their product is parallel.tensor.",
    source="SGLang 0.5.10 to 0.5.23 srt/arg_groups/parallel_hook.py",
    triggers=("args.moe_dp_size", "args.moe_data_parallel_size"),
)
def moe_replicas_do_not_divide(subject: Subject) -> Iterable[Finding]:
    """tp % moe_dp != 0, ep * moe_dp > tp, or pp > 1 with moe_dp > 1."""
    groups, ranks = subject.integer("moe_dp_size") or 1, tensor_parallel(subject)
    experts = subject.integer("ep_size") or 1
    key = subject.key("moe_dp_size")
    if groups <= 1:
        return
    if ranks % groups:
        yield Finding(message=f"moe_dp_size {groups} does not divide {ranks} ranks", key=key)
    elif experts * groups > ranks or (experts > 1 and experts * groups != ranks):
        yield Finding(message=f"ep_size {experts} × moe_dp_size {groups} must make up {ranks} ranks", key=key)
    elif pipeline_parallel(subject) > 1:
        yield Finding(message="moe_dp_size excludes pipeline parallelism", key=key)
