"""SGLang's memory budget: what it loads, what it keeps free, and the token pool in between.

    pool = free after loading − free at start × (1 − mem_fraction_static)

Source: model_executor/model_runner.py profile_max_num_token; since 0.5.10
mem_cache/kv_cache_configurator.py _profile_available_bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from servespec.calibration.model import Conditions
from servespec.deployment import Deployment
from servespec.engines.sglang import shortfalls
from servespec.engines.sglang.architectures import has_model
from servespec.engines.sglang.device import Free, free_memory
from servespec.engines.sglang.drafts import draft_of
from servespec.engines.sglang.graph_tables import attention_tables
from servespec.engines.sglang.outside import activation, graphs, request_table
from servespec.engines.sglang.pools import Cell, cell
from servespec.engines.sglang.requests import max_running_requests
from servespec.engines.sglang.states import StatePool, state_pool
from servespec.engines.sglang.weights import counts_draft, draft_weights, weights
from servespec.errors import UnmodelledError
from servespec.memory.budget import MemoryBudget, Term
from servespec.memory.calibrated import calibrated, with_residual
from servespec.memory.verdict import verdict_of

SOURCE = "sglang mem_cache/kv_cache_configurator.py (before 0.5.10 model_executor/model_runner.py)"
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One pipeline stage: its weights, its pools, and how many tokens they hold."""

    free: Free
    weights: Term
    cell: Cell
    states: StatePool
    pool_bytes: int
    tokens: int


def budget(deployment: Deployment) -> MemoryBudget:
    """Predict what the rank with the fewest tokens allocates. Raises UnmodelledError."""
    _refuse_unmodelled(deployment)
    stages = [_stage(deployment, stage) for stage in range(deployment.settings.integer("pp_size"))]
    least = min(stages, key=lambda stage: stage.tokens)
    return _assemble(deployment, least)


def _refuse_unmodelled(deployment: Deployment) -> None:
    model = deployment.model
    if model.unmodelled:
        raise UnmodelledError(", ".join(model.unmodelled))
    # Mllama's image tokens take slots of the one pool, in all its layers (mem_cache/memory_pool.py); no other
    # encoder-decoder is served.
    if model.is_encoder_decoder and model.vision is None:
        raise UnmodelledError(f"an encoder-decoder model ({model.architecture}) on SGLang")
    if not has_model(model.architecture, deployment.version):
        raise UnmodelledError(
            f"{model.architecture} on SGLang {deployment.version}",
            f"SGLang {deployment.version} has no model of its own for {model.architecture}: Transformers' classes are tried, if "
            "the Transformers beside it knows them",
        )
    capability = deployment.gpu.compute_capability
    if (
        model.extra.get("sparse_attention")
        and deployment.gpu.kind == "cuda"
        and (capability or (9, 0)) < (9, 0)
    ):
        raise UnmodelledError(
            f"the sparse attention of {model.architecture} on {deployment.gpu.name}",
            f"SGLang's kernels for the sparse attention of {model.architecture} are made for compute capability 9.0 and "
            f"higher; whether others stand in for them on {deployment.gpu.name} is not known",
        )
    stages = deployment.settings.integer("pp_size")
    if stages > model.layers:
        raise UnmodelledError(f"{stages:,} pipeline stages for {model.layers} layers")
    fixed = deployment.settings.value("max_total_tokens") is not None
    if not deployment.gpu.total_bytes and not fixed:
        raise UnmodelledError(
            "the host's memory",
            "SGLang sizes its KV cache by the memory of the host, which is not known: give hardware.memory_gib, "
            "kv_cache.space_gib or targets.sglang.args.max_total_tokens",
        )


def conditions(deployment: Deployment) -> Conditions:
    """Under which conditions a measured term holds: graphs or none, and ranks."""
    settings = deployment.settings
    return Conditions(eager=settings.flag("disable_cuda_graph"), tensor_parallel=settings.integer("tp_size"))


def _stage(deployment: Deployment, index: int) -> Stage:
    settings, gpu = deployment.settings, deployment.gpu
    loaded = weights(deployment, index)
    if not gpu.is_cpu:
        when = conditions(deployment)
        loaded = with_residual(calibrated(loaded, "weights_bytes", deployment, when), deployment, when)
    per_token = cell(deployment.model, settings, deployment.version, index)
    cap = settings.value("max_total_tokens")
    ranks = settings.integer("tp_size") * settings.integer("pp_size")
    reserved = round(deployment.spec.hardware.reserved_gib * GIB)
    free = free_memory(gpu, reserved, ranks, deployment.model.moe is not None)
    page = settings.integer("page_size")
    tokens = [cap // page * page] if isinstance(cap, int) else []
    if gpu.total_bytes:
        kept_free = free.at_start_bytes * (1 - settings.number("mem_fraction_static"))
        rest = free.before_weights_bytes - loaded.size_bytes - kept_free
        states = state_pool(deployment, index, rest)
        tokens.append(per_token.tokens(rest - states.size_bytes, page))
    else:
        states = state_pool(deployment, index, None)
    held = min(tokens)
    return Stage(
        free=free,
        weights=loaded,
        cell=per_token,
        states=states,
        pool_bytes=per_token.pool_bytes(held, page) if held else 0,
        tokens=held,
    )


def _assemble(deployment: Deployment, stage: Stage) -> MemoryBudget:
    settings = deployment.settings
    context = settings.integer("context_length")
    requests = max_running_requests(deployment, stage.tokens, stage.states)
    prepared = Term(
        name="non-torch",
        size_bytes=stage.free.at_start_bytes - stage.free.before_weights_bytes + stage.states.size_bytes,
        formula="taken between the first look at free memory and the first weight + recurrent states",
        numbers=f"{stage.free.at_start_bytes - stage.free.before_weights_bytes:,} + {stage.states.size_bytes:,}",
        source="own start-ups of 0.5.17 on an H200; " + stage.states.source,
        uncertainty_bytes=stage.free.spread_bytes,
        parts=(
            Term(
                "device set-up",
                stage.free.at_start_bytes - stage.free.before_weights_bytes,
                "measured",
                "H200",
            ),
            Term("recurrent states", stage.states.size_bytes, stage.states.formula, stage.states.source),
        ),
    )
    outside: tuple[Term, ...] = (
        activation(deployment),
        graphs(deployment),
        attention_tables(deployment),
        request_table(requests, context),
    )
    if not counts_draft(deployment) and draft_of(deployment) is not None:
        outside = (*outside, draft_weights(deployment))
    fraction = settings.number("mem_fraction_static")
    uncertainty = _uncertainty(deployment, stage, fraction)
    found = shortfalls.find(
        deployment,
        stage.free,
        stage.weights,
        stage.tokens,
        stage.cell,
        outside,
        uncertainty,
        stage.states.size_bytes,
    )
    per_token = stage.cell.bytes_per_token
    return MemoryBudget(
        device_bytes=deployment.gpu.total_bytes,
        budget_bytes=stage.weights.size_bytes + prepared.size_bytes + stage.pool_bytes,
        weights=stage.weights,
        activation=Term("activation", 0, "outside the static share", "mem_fraction_static"),
        non_torch=prepared,
        cuda_graph=Term("CUDA graphs", 0, "outside the static share", "mem_fraction_static"),
        kv_cache_bytes=stage.pool_bytes,
        kv_bytes_per_token=per_token,
        kv_tokens=stage.tokens,
        max_concurrency=stage.tokens / context if context else 0.0,
        uncertainty_bytes=uncertainty,
        verdict=verdict_of(found.shortfalls, found.slack_bytes, found.uncertainty_bytes),
        outside=outside,
        shortfalls=found.shortfalls,
        estimated_max_model_len=min(stage.tokens, context) if stage.tokens else None,
        block_size=settings.integer("page_size"),
        calibration=deployment.calibration.name if deployment.calibration else None,
        num_blocks=stage.tokens // settings.integer("page_size"),
        kv_formula=(
            f"tokens = (free after loading − free at start × (1 − {fraction:.4g})) ÷ {per_token:,.0f} bytes per token"
        ),
        kv_source=SOURCE,
        details=MappingProxyType(
            {
                "mem_fraction_static": fraction,
                "free_at_start_bytes": stage.free.at_start_bytes,
                "free_before_load_bytes": stage.free.before_weights_bytes,
                "max_running_requests": requests,
                "window_tokens": stage.cell.window_tokens(stage.tokens, settings.integer("page_size"))
                if stage.cell.window_bytes
                else 0,
                "state_slots": stage.states.slots,
            }
        ),
    )


def _uncertainty(deployment: Deployment, stage: Stage, fraction: float) -> int:
    """Of the pool: the device's spread counts by the static fraction; a cap leaves none."""
    if isinstance(
        deployment.settings.value("max_total_tokens"), int
    ) and stage.tokens == deployment.settings.value("max_total_tokens"):
        return 0
    share = min(1.0, max(0.0, fraction))  # a fraction that SGLang works out itself can fall below nothing
    return round(stage.free.spread_bytes * share) + stage.weights.uncertainty_bytes
