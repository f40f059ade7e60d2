"""The memory budget of one rank: what is requested, what is taken off, what is left for the KV cache."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from servespec.calibration.model import Conditions
from servespec.engines.vllm.activation import activation_term
from servespec.engines.vllm.graphs import beyond_budget_terms, subtracted_term
from servespec.engines.vllm.kv import Capacity, capacity, turboquant
from servespec.engines.vllm.non_torch import non_torch_term
from servespec.engines.vllm.placement import stage_layers
from servespec.engines.vllm.rules.architecture import FALLBACK_SINCE, is_in_registry
from servespec.engines.vllm.shortfalls import Situation, shortfalls
from servespec.engines.vllm.weights import loading_peak, offloaded_bytes, weights_term
from servespec.errors import UnmodelledError
from servespec.memory.budget import MemoryBudget, Term
from servespec.memory.calibrated import calibrated, with_residual
from servespec.memory.verdict import verdict_of
from servespec.rules.versions import release

if TYPE_CHECKING:
    from servespec.deployment import Deployment

GIB = 2**30
TURBOQUANT_SPREAD = 0.01
"""Share of the device that TurboQuant's kernels take beyond what is modelled: pull request 40798 and
fluffy-10 have 0.3 to 1.2 GiB less for the cache on an H200."""

SPARSE_SPREAD = 0.08
"""Workspaces of sparse MLA (indexer logits, gathered windows) are not modelled: the one measured row, DeepSeek-V4-Flash
on two GH200 (vllm issue 44376), had 5.1 GiB of KV cache less than predicted."""

CPU_PROCESS_BYTES = GIB
"""Resident memory of a vLLM worker beside its weights, on a CPU: about 1 GiB (vLLM 0.32.0, tiny models)."""


@dataclass(frozen=True, slots=True)
class StageBudget:
    """Terms and KV cache of one pipeline stage."""

    weights: Term
    activation: Term
    non_torch: Term
    cuda_graph: Term
    kv_bytes: int
    loading_bytes: int
    capacity: Capacity

    @property
    def taken_bytes(self) -> int:
        """All terms but the KV cache."""
        terms = (self.weights, self.activation, self.non_torch, self.cuda_graph)
        return sum(term.size_bytes for term in terms)

    @property
    def uncertainty_bytes(self) -> int:
        """Spread of the terms, as independent errors."""
        terms = (self.weights, self.activation, self.non_torch, self.cuda_graph)
        return math.isqrt(sum(term.uncertainty_bytes**2 for term in terms))


def budget(deployment: Deployment) -> MemoryBudget:
    """What this version allocates on the rank with the least KV cache. Raises UnmodelledError."""
    if deployment.model.unmodelled:
        raise UnmodelledError(", ".join(deployment.model.unmodelled))
    _refuse_fallback(deployment)
    requested = requested_bytes(deployment)
    stages = deployment.settings.integer("pipeline_parallel_size")
    if not 1 <= stages <= deployment.model.layers:
        raise UnmodelledError(f"{stages:,} pipeline stages for {deployment.model.layers} layers")
    terms = _common_terms(deployment)
    budgets = [_stage(deployment, stage, requested, terms) for stage in range(stages)]
    tightest = min(budgets, key=lambda stage: stage.capacity.num_blocks(stage.kv_bytes))
    if deployment.settings.flag("max_model_len_is_auto"):
        tightest = _cut_to_fit(tightest)
    return _assemble(deployment, tightest, requested)


def _refuse_fallback(deployment: Deployment) -> None:
    """A model that takes more than text, or has an encoder, is another one in Transformers' classes, which run what the
    release has no model for: what they take is not known. Raises UnmodelledError."""
    model, asked = deployment.model, deployment.asked_version
    is_another = model.is_multimodal or model.is_encoder_decoder
    falls_back = release(asked) >= release(FALLBACK_SINCE) and not is_in_registry(model.architecture, asked)
    if is_another and falls_back:
        raise UnmodelledError(
            f"{model.architecture} on vLLM {asked}",
            f"vLLM {asked} has no model of its own for {model.architecture}: Transformers' classes are tried",
        )


def _cut_to_fit(stage: StageBudget) -> StageBudget:
    """max_model_len auto: the longest context that fits (kv_cache_utils.py _auto_fit_max_model_len)."""
    longest = stage.capacity.longest_context(stage.kv_bytes)
    if not longest:
        return stage
    request = replace(stage.capacity.request, max_model_len=longest)
    return replace(stage, capacity=replace(stage.capacity, request=request))


def conditions(deployment: Deployment) -> Conditions:
    """Under which conditions a measured term holds: compiled or eager, and ranks."""
    settings = deployment.settings
    return Conditions(
        eager=settings.flag("enforce_eager"), tensor_parallel=settings.integer("tensor_parallel_size")
    )


def requested_bytes(deployment: Deployment) -> int:
    """ceil(gpu_memory_utilization × device total) (v1/worker/utils.py request_memory); on a CPU the KV space."""
    fraction = deployment.settings.number("gpu_memory_utilization")
    return math.ceil(deployment.gpu.total_bytes * fraction)


def _common_terms(deployment: Deployment) -> tuple[Term, Term, Term]:
    """Activation, non-torch and graph memory, which every pipeline stage is taken to have alike."""
    if deployment.gpu.is_cpu:
        names = ("activation", "non_torch", "cuda_graph")
        activation, non_torch, graphs = (
            Term(name, 0, "not counted on a CPU", "v1/worker/cpu_worker.py") for name in names
        )
        return activation, non_torch, graphs
    when = conditions(deployment)
    activation = calibrated(activation_term(deployment), "activation_bytes", deployment, when)
    non_torch = calibrated(non_torch_term(deployment), "non_torch_bytes", deployment, when)
    graphs = calibrated(subtracted_term(deployment), "cuda_graph_bytes", deployment, when)
    return activation, with_residual(non_torch, deployment, when), graphs


def _stage(deployment: Deployment, stage: int, requested: int, terms: tuple[Term, Term, Term]) -> StageBudget:
    stages = deployment.settings.integer("pipeline_parallel_size")
    layers = stage_layers(deployment.model.layers, stages, deployment.version)[stage]
    if stage == stages - 1:  # layers of drafts come after all others
        layers = range(layers.start, sys.maxsize)
    weights = weights_term(deployment, stage)
    fixed = deployment.settings.value("kv_cache_memory_bytes")
    activation, non_torch, graphs = terms
    if not deployment.gpu.is_cpu:
        weights = calibrated(weights, "weights_bytes", deployment, conditions(deployment))
    if isinstance(fixed, int) and not isinstance(fixed, bool):
        kv_bytes = fixed
    elif deployment.gpu.is_cpu:
        kv_bytes = _cpu_kv_bytes(deployment, weights)
    else:
        taken = weights.size_bytes + activation.size_bytes + non_torch.size_bytes + graphs.size_bytes
        kv_bytes = requested - taken
    peak = loading_peak(deployment, stage, weights.size_bytes)
    cache = capacity(deployment, layers)
    return StageBudget(weights, activation, non_torch, graphs, kv_bytes, peak, cache)


def _cpu_kv_bytes(deployment: Deployment, weights: Term) -> int:
    """Without a fixed space: gpu_memory_utilization of the host's memory less what the process holds
    (v1/worker/cpu_worker.py). Raises UnmodelledError where the host's memory is not given."""
    if not deployment.gpu.total_bytes:
        raise UnmodelledError(
            "the KV space of a CPU",
            "the KV space of vLLM on a CPU follows the host's memory: give kv_cache.space_gib, "
            "VLLM_CPU_KVCACHE_SPACE or hardware.memory_gib",
        )
    return requested_bytes(deployment) - weights.size_bytes - CPU_PROCESS_BYTES


def _assemble(deployment: Deployment, stage: StageBudget, requested: int) -> MemoryBudget:
    settings, cache = deployment.settings, stage.capacity
    override = settings.value("num_gpu_blocks_override")
    blocks = override if isinstance(override, int) else cache.num_blocks(stage.kv_bytes)
    beyond = () if deployment.gpu.is_cpu else beyond_budget_terms(deployment, stage.cuda_graph)
    situation = Situation(
        deployment=deployment,
        requested_bytes=requested,
        weights=stage.weights,
        loading_bytes=stage.loading_bytes,
        taken_bytes=stage.taken_bytes,
        kv_bytes=stage.kv_bytes if not isinstance(override, int) else override * cache.bytes_per_block,
        uncertainty_bytes=_uncertainty(deployment, stage),
        capacity=cache,
        beyond=beyond,
    )
    found = shortfalls(situation)
    slack = situation.kv_bytes - cache.needed_bytes
    return MemoryBudget(
        device_bytes=deployment.gpu.total_bytes,
        budget_bytes=stage.taken_bytes + stage.kv_bytes,
        weights=stage.weights,
        activation=stage.activation,
        non_torch=stage.non_torch,
        cuda_graph=stage.cuda_graph,
        kv_cache_bytes=stage.kv_bytes,
        kv_bytes_per_token=cache.bytes_per_token,
        kv_tokens=cache.printed_tokens(blocks),
        max_concurrency=cache.max_concurrency(blocks),
        uncertainty_bytes=situation.uncertainty_bytes,
        verdict=verdict_of(found, slack, situation.uncertainty_bytes),
        outside=beyond,
        shortfalls=found,
        estimated_max_model_len=cache.longest_context(situation.kv_bytes),
        block_size=min((group.spec.block_size for group in cache.groups), default=0),
        num_blocks=blocks,
        kv_formula=(
            f"{stage.kv_bytes:,} bytes ÷ {cache.bytes_per_block:,} a block = {blocks:,} blocks of "
            f"{len(cache.groups)} group(s), {cache.blocks_per_request:,} for one request"
        ),
        kv_source=f"vllm {deployment.version} v1/core/kv_cache_utils.py",
        calibration=deployment.calibration.name if deployment.calibration else None,
        details=_details(deployment, cache, blocks),
    )


def _details(deployment: Deployment, cache: Capacity, blocks: int) -> dict[str, int | float | str]:
    """Figures beside the budget: the pool, the workload's own concurrency, host memory of each rank."""
    details: dict[str, int | float | str] = {
        "kv_groups": len(cache.groups),
        "bytes_per_block": cache.bytes_per_block,
        "blocks_per_request": cache.blocks_per_request,
        "host_bytes": host_bytes(deployment),
    }
    workload = deployment.spec.workload
    if workload is not None and cache.groups:
        tokens = min(workload.input_tokens + workload.output_tokens, cache.request.max_model_len)
        needed = cache.blocks_for(replace(cache.request, max_model_len=tokens))
        details["workload_concurrency"] = min(blocks / needed, deployment.settings.integer("max_num_seqs"))
    return details


def host_bytes(deployment: Deployment) -> int:
    """Host memory of one rank for offloaded weights and swapped blocks (V0: swap_space, 4 GiB by default)."""
    offloaded = offloaded_bytes(deployment) + int(deployment.spec.kv_cache.cpu_offload_gib * GIB)
    if deployment.settings.value("engine") == "v0" and not deployment.spec.kv_cache.cpu_offload_gib:
        offloaded += 4 * GIB
    return offloaded


def _uncertainty(deployment: Deployment, stage: StageBudget) -> int:
    """Error of the KV bytes: that of the terms and of the device's total; none where the space is fixed."""
    if isinstance(deployment.settings.value("kv_cache_memory_bytes"), int):
        return 0
    if deployment.gpu.is_cpu:
        return CPU_PROCESS_BYTES
    fraction = deployment.settings.number("gpu_memory_utilization")
    spread = int(deployment.gpu.total_spread_bytes * fraction)
    if deployment.model.extra.get("sparse_attention"):
        spread += int(deployment.gpu.total_bytes * SPARSE_SPREAD)
    if deployment.settings.value("kv_cache_dtype") in turboquant.PRESETS:
        spread += int(deployment.gpu.total_bytes * TURBOQUANT_SPREAD)
    return math.isqrt(stage.uncertainty_bytes**2 + spread**2)
