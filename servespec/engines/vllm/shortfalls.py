"""Why vLLM would not start: the checks that it makes itself, and the memory that it runs out of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv import Capacity
from servespec.memory.budget import Shortfall, ShortfallKind, Term

if TYPE_CHECKING:
    from servespec.deployment import Deployment

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A start, as far as its checks look at it."""

    deployment: Deployment
    requested_bytes: int
    weights: Term
    loading_bytes: int
    taken_bytes: int
    kv_bytes: int
    uncertainty_bytes: int
    capacity: Capacity
    beyond: tuple[Term, ...] = ()


def shortfalls(situation: Situation) -> tuple[Shortfall, ...]:
    """Every reason not to start, the first that the engine would meet first."""
    if situation.deployment.gpu.is_cpu:
        found = [_host(situation), _context(situation)]
    else:
        found = [_free_memory(situation), _weights(situation), _no_kv(situation) or _context(situation)]
        found.append(_fixed_space(situation) or _graphs(situation))
    return tuple(shortfall for shortfall in found if shortfall is not None)


def _at_most(room: int) -> str:
    return (
        f"at most {room / GIB:.1f} GiB of KV cache"
        if room > GIB // 20
        else "more GPUs, or a quantized checkpoint"
    )


def _gib(size: int) -> str:
    return f"{size / GIB:,.2f} GiB"


def _free_memory(situation: Situation) -> Shortfall | None:
    """request_memory: refused when less is free at start than gpu_memory_utilization asks for."""
    gpu, spec = situation.deployment.gpu, situation.deployment.spec
    reserved = int(spec.hardware.reserved_gib * GIB)
    free = gpu.total_bytes - gpu.used_bytes - reserved
    missing = situation.requested_bytes - free
    if missing <= 0:
        return None
    fraction = situation.deployment.settings.number("gpu_memory_utilization")
    possible = int(free / gpu.total_bytes * 100) / 100
    return Shortfall(
        kind=ShortfallKind.free_memory_below_budget,
        message=(
            f"{_gib(situation.requested_bytes)} of {gpu.name} are asked for ({fraction:g} of "
            f"{_gib(gpu.total_bytes)}), {_gib(free) if free > 0 else 'none'} are free at start"
        ),
        needed_bytes=situation.requested_bytes,
        available_bytes=free,
        certain=reserved > 0 or missing > gpu.total_spread_bytes + GIB // 4,
        key="limits.gpu_memory_fraction",
        fix=f"gpu_memory_fraction ≤ {possible:.2f}" if possible > 0 else "free the GPU of what others hold",
    )


def _host(situation: Situation) -> Shortfall | None:
    """On a CPU weights and KV cache share the host's memory (v1/worker/cpu_worker.py determine_available_memory)."""
    deployment = situation.deployment
    needed, has = situation.weights.size_bytes + situation.kv_bytes, deployment.gpu.total_bytes
    if not has or needed <= has:
        return None
    settings = deployment.settings
    return Shortfall(
        kind=ShortfallKind.warmup_exceeds_memory,
        message=f"weights of {_gib(situation.weights.size_bytes)} and a KV cache of {_gib(situation.kv_bytes)} are more than the "
        f"{_gib(has)} of the host",
        needed_bytes=needed,
        available_bytes=has,
        certain=needed - has > situation.weights.uncertainty_bytes,
        key=settings["kv_cache_memory_bytes"].key or "hardware.memory_gib",
        fix=_at_most(has - situation.weights.size_bytes),
    )


def _weights(situation: Situation) -> Shortfall | None:
    """Weights beyond what the device has run out of memory while they load."""
    gpu = situation.deployment.gpu
    free = gpu.total_bytes - gpu.used_bytes
    needed = situation.loading_bytes
    if needed <= free:
        return None
    whole = ", loaded whole before they are quantized," if needed > situation.weights.size_bytes else ""
    ranks = situation.deployment.settings.integer("tensor_parallel_size")
    return Shortfall(
        kind=ShortfallKind.weights_exceed_device,
        message=f"the weights{whole} take {_gib(needed)} on each GPU, {gpu.name} has {_gib(free)}",
        needed_bytes=needed,
        available_bytes=free,
        certain=needed - free > situation.weights.uncertainty_bytes + gpu.total_spread_bytes,
        key="parallel.tensor",
        fix=f"tensor: {2 * ranks}, or a quantized checkpoint",
    )


def _fixed_space(situation: Situation) -> Shortfall | None:
    """kv_cache_memory_bytes and num_gpu_blocks_override are taken as they are: with everything else they must fit the
    device."""
    settings, gpu = situation.deployment.settings, situation.deployment.gpu
    names = ("num_gpu_blocks_override", "kv_cache_memory_bytes")
    given = next((name for name in names if settings.value(name) is not None), None)
    if given is None:
        return None
    free = gpu.total_bytes - gpu.used_bytes - int(situation.deployment.spec.hardware.reserved_gib * GIB)
    needed = situation.taken_bytes + situation.kv_bytes
    if needed <= free:
        return None
    return Shortfall(
        kind=ShortfallKind.warmup_exceeds_memory,
        message=(
            f"a KV cache of {_gib(situation.kv_bytes)} and {_gib(situation.taken_bytes)} for everything else "
            f"are more than the {_gib(free)} of {gpu.name}"
        ),
        needed_bytes=needed,
        available_bytes=free,
        certain=needed - free > GIB // 2 + gpu.total_spread_bytes,
        key=settings[given].key or "kv_cache.space_gib",
        fix=_at_most(free - situation.taken_bytes),
    )


def _graphs(situation: Situation) -> Shortfall | None:
    """What is taken after the KV cache, graphs above all, must fit beside the budget."""
    gpu, spec = situation.deployment.gpu, situation.deployment.spec
    reserved = int(spec.hardware.reserved_gib * GIB)
    free = gpu.total_bytes - gpu.used_bytes - reserved - situation.requested_bytes
    needed = sum(term.size_bytes for term in situation.beyond)
    spread = sum(term.uncertainty_bytes for term in situation.beyond)
    if free < 0 or needed + spread <= free:
        return None
    fraction = situation.deployment.settings.number("gpu_memory_utilization")
    possible = int((fraction - (needed + spread - free) / gpu.total_bytes) * 100) / 100
    return Shortfall(
        kind=ShortfallKind.graphs_exceed_memory,
        message=(
            f"CUDA graphs and buffers take {_gib(needed)} (± {_gib(spread)}) beyond the budget, "
            f"{_gib(free)} of {gpu.name} are left beside it"
        ),
        needed_bytes=needed,
        available_bytes=free,
        certain=needed - free > spread + gpu.total_spread_bytes,
        key="limits.gpu_memory_fraction",
        fix=f"gpu_memory_fraction ≤ {possible:.2f}, or fewer capture sizes",
    )


def _no_kv(situation: Situation) -> Shortfall | None:
    """_check_enough_kv_cache_memory: nothing is left for KV blocks."""
    if situation.kv_bytes > 0:
        return None
    taken = situation.requested_bytes - situation.kv_bytes
    ranks = situation.deployment.settings.integer("tensor_parallel_size")
    return Shortfall(
        kind=ShortfallKind.no_memory_for_kv,
        message=(
            f"weights, activations and the engine itself take {_gib(taken)}, {_gib(-situation.kv_bytes)} more than "
            f"the budget of {_gib(situation.requested_bytes)}: nothing is left for the KV cache"
        ),
        needed_bytes=taken + situation.capacity.needed_bytes,
        available_bytes=situation.requested_bytes,
        certain=-situation.kv_bytes + situation.capacity.needed_bytes > situation.uncertainty_bytes,
        key="limits.gpu_memory_fraction",
        fix=f"a higher gpu_memory_fraction, tensor: {2 * ranks}, or a quantized checkpoint",
    )


def _context(situation: Situation) -> Shortfall | None:
    """_check_enough_kv_cache_memory: one request of max_model_len tokens must fit."""
    cache = situation.capacity
    if (
        situation.deployment.settings.flag("max_model_len_is_auto")
        or cache.needed_bytes <= situation.kv_bytes
    ):
        return None
    longest = cache.longest_context(situation.kv_bytes)
    ranks = situation.deployment.settings.integer("tensor_parallel_size")
    return Shortfall(
        kind=ShortfallKind.context_exceeds_kv,
        message=(
            f"needs {_gib(cache.needed_bytes)} of KV cache for one request of "
            f"{cache.request.max_model_len:,} tokens, {_gib(situation.kv_bytes)} are left"
        ),
        needed_bytes=cache.needed_bytes,
        available_bytes=situation.kv_bytes,
        certain=cache.needed_bytes - situation.kv_bytes > situation.uncertainty_bytes,
        key="limits.max_model_len",
        fix=f"max_model_len ≤ {longest:,}, or tensor: {2 * ranks}" if longest else f"tensor: {2 * ranks}",
    )
