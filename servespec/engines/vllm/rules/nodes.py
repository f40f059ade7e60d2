"""Data-parallel and multi-node launches of vLLM."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.vllm.rules.view import data_parallel, pipeline_parallel, tensor_parallel
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV270",
    name="vllm-local-replicas-above-all",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.9",
    summary="data_parallel_size_local may not be above data_parallel_size.",
    explanation="The local replicas of a node are a part of all.",
    error_text="data_parallel_size_local (A) must be <= data_parallel_size (B)",
    fix="Lower data_parallel_size_local or raise parallel.data.",
    source="vLLM 0.32.0 vllm/config/parallel.py _validate_parallel_config",
    triggers=("args.data_parallel_size_local",),
)
def local_replicas_above_all(subject: Subject) -> Iterable[Finding]:
    """data_parallel_size_local > data_parallel_size."""
    local, replicas = subject.integer("data_parallel_size_local"), data_parallel(subject)
    if local is not None and local > replicas:
        yield Finding(
            message=f"data_parallel_size_local is {local}, above data_parallel_size {replicas}",
            key=subject.key("data_parallel_size_local"),
        )


@rule(
    code="SV271",
    name="vllm-external-balancing-of-dense-model",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.25",
    summary="Data parallelism with an external balancer is for models with experts.",
    explanation="Ranks of a dense model share nothing: independent servers do the same. vLLM refuses.",
    error_text="Non-MoE models do not support external data parallel mode. For external load balancing, "
    "launch independent vLLM instances without --data-parallel-* arguments.",
    fix="Start independent servers (deploy.replicas) instead.",
    source="vLLM 0.25.1, 0.32.0 vllm/engine/arg_utils.py create_engine_config",
    triggers=("args.data_parallel_external_lb", "args.data_parallel_rank"),
)
def external_balancing_of_dense_model(subject: Subject) -> Iterable[Finding]:
    """external DP of a dense model."""
    asked = subject.flag("data_parallel_external_lb") or subject.is_given("data_parallel_rank")
    if asked and data_parallel(subject) > 1 and subject.model.moe is None:
        yield Finding(
            message=f"{subject.model.architecture} has no experts: data parallelism behind an external balancer is "
            "refused; use deploy.replicas",
            key=subject.key("data_parallel_external_lb") or subject.key("data_parallel_rank"),
        )


@rule(
    code="SV272",
    name="vllm-external-balancing-of-one",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11",
    summary="data_parallel_external_lb needs more than one replica.",
    explanation="An external balancer has nothing to balance over a single rank.",
    error_text="data_parallel_external_lb can only be set when data_parallel_size > 1",
    fix="Raise parallel.data or remove the flag.",
    source="vLLM 0.11.2, 0.32.0 vllm/config/parallel.py _validate_parallel_config",
    triggers=("args.data_parallel_external_lb",),
)
def external_balancing_of_one(subject: Subject) -> Iterable[Finding]:
    """data_parallel_external_lb with one replica."""
    if subject.flag("data_parallel_external_lb") and data_parallel(subject) <= 1:
        key = subject.key("data_parallel_external_lb")
        yield Finding(
            message="data_parallel_external_lb needs data_parallel_size above 1",
            key=key,
            fix=Fix("remove it", changes=(Change(key, remove=True),) if key else ()),
        )


@rule(
    code="SV273",
    name="vllm-two-balancing-modes",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.10",
    summary="Only one way of balancing data-parallel ranks may be chosen.",
    explanation="External and hybrid balancing exclude one another.",
    error_text="Cannot use more than one data parallel load balancing mode.",
    fix="Keep one of data_parallel_external_lb and data_parallel_hybrid_lb.",
    source="vLLM 0.32.0 vllm/engine/arg_utils.py create_engine_config, vllm/entrypoints/cli/serve.py",
    triggers=("args.data_parallel_hybrid_lb",),
)
def two_balancing_modes(subject: Subject) -> Iterable[Finding]:
    """external and hybrid load balancing."""
    external = subject.flag("data_parallel_external_lb") or subject.is_given("data_parallel_rank")
    if subject.flag("data_parallel_hybrid_lb") and external:
        yield Finding(
            message="data_parallel_hybrid_lb and external balancing exclude one another: keep one",
            key=subject.key("data_parallel_hybrid_lb"),
        )


@rule(
    code="SV274",
    name="vllm-nodes-do-not-divide-ranks",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.28",
    summary="nnodes must divide all ranks.",
    explanation="Every node runs an equal number of the data × pipeline × tensor parallel ranks.",
    error_text="`--nnodes A` must evenly divide the total world size (B).",
    fix="Choose parallel sizes whose product is a multiple of the nodes.",
    source="vLLM 0.28.0, 0.32.0 vllm/engine/arg_utils.py create_engine_config",
    triggers=("args.nnodes", "hardware.nodes"),
)
def nodes_do_not_divide_ranks(subject: Subject) -> Iterable[Finding]:
    """dp * pp * tp % nnodes != 0."""
    nodes = subject.integer("nnodes") or subject.spec.hardware.nodes
    ranks = data_parallel(subject) * pipeline_parallel(subject) * tensor_parallel(subject)
    if nodes > 1 and ranks % nodes and subject.text("distributed_executor_backend") != "ray":
        yield Finding(
            message=f"{ranks} rank{'s' if ranks > 1 else ''} cannot be divided over {nodes} nodes",
            key=subject.key("nnodes") or "hardware.nodes",
        )


@rule(
    code="SV275",
    name="vllm-node-rank-range",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.28",
    summary="node_rank counts from 0 to nnodes - 1.",
    explanation="The rank is this node's zero-based index.",
    error_text="`--node-rank` must be between 0 and A; got `--node-rank B`. Set it to this node's "
    "zero-based index.",
    fix="Count nodes from zero.",
    source="vLLM 0.28.0, 0.32.0 vllm/engine/arg_utils.py create_engine_config",
    triggers=("args.node_rank",),
)
def node_rank_range(subject: Subject) -> Iterable[Finding]:
    """node_rank outside 0 … nnodes - 1."""
    rank, nodes = subject.integer("node_rank"), subject.integer("nnodes") or subject.spec.hardware.nodes
    if rank is not None and nodes > 1 and not 0 <= rank < nodes:
        yield Finding(
            message=f"node_rank is {rank}; with {nodes} nodes it runs from 0 to {nodes - 1}",
            key=subject.key("node_rank"),
        )


@rule(
    code="SV276",
    name="vllm-context-parallel-does-not-divide",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.12",
    summary="Decode context parallelism must divide the tensor-parallel ranks.",
    explanation="The ranks that share a KV cache by positions are groups of the tensor-parallel ranks.",
    error_text="tp_size=A must be divisible by dcp_size=B.",
    fix="Choose a decode_context_parallel_size that divides parallel.tensor.",
    source="vLLM 0.32.0 vllm/config/parallel.py _validate_parallel_config",
    triggers=("args.decode_context_parallel_size",),
)
def context_parallel_does_not_divide(subject: Subject) -> Iterable[Finding]:
    """tp % dcp != 0."""
    parts, ranks = subject.integer("decode_context_parallel_size"), tensor_parallel(subject)
    if parts and (subject.integer("prefill_context_parallel_size") or 1) == 1 and ranks % parts:
        yield Finding(
            message=f"decode_context_parallel_size {parts} does not divide the {ranks} tensor-parallel ranks",
            key=subject.key("decode_context_parallel_size"),
        )


@rule(
    code="SV277",
    name="vllm-context-parallel-needs-replicated-heads",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.28",
    summary="Decode context parallelism of ordinary attention needs more ranks than key/value heads.",
    explanation="It shares what tensor parallelism would otherwise copy: with ranks up to the number of "
    "key/value heads there is no copy to share. It may be at most ranks ÷ key/value heads.",
    error_text="Decode context parallelism for GQA/MQA requires `--tensor-parallel-size` (A) to be greater "
    "than the model's total number of KV heads (B).",
    fix="Raise parallel.tensor above the key/value heads, or set decode_context_parallel_size: 1.",
    source="vLLM 0.28.0, 0.32.0 vllm/config/model.py verify_with_parallel_config",
    triggers=("args.decode_context_parallel_size",),
)
def context_parallel_needs_replicated_heads(subject: Subject) -> Iterable[Finding]:
    """dcp > 1, no MLA, and tp <= kv heads or dcp > tp / kv heads."""
    parts, ranks = subject.integer("decode_context_parallel_size") or 1, tensor_parallel(subject)
    heads = subject.model.kv_heads
    if parts <= 1 or heads <= 0 or "model:mla" in subject.words:
        return
    key = subject.key("decode_context_parallel_size")
    if ranks <= heads:
        yield Finding(
            message=f"decode_context_parallel_size {parts} needs more tensor-parallel ranks than the {heads} key/value "
            f"heads, {ranks} are set",
            key=key,
        )
    elif parts > ranks // heads:
        yield Finding(
            message=f"decode_context_parallel_size is {parts}; {ranks} ranks over {heads} key/value heads allow "
            f"{ranks // heads} at most",
            key=key,
        )
