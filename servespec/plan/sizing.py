"""How many replicas a workload needs: Little's law with two limits, and the objectives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.plan.roofline import FAST, SLOW, Efficiency, Machine

if TYPE_CHECKING:
    from servespec.spec.model import Objectives, Workload

HEADROOM = 1.2
"""Replicas are reckoned for this many times the request rate: the factor of llm-d-planner's config_finder."""

MOST_REPLICAS = 4096


@dataclass(frozen=True, slots=True)
class Demand:
    """What has to be served. ``headroom`` multiplies a rate, not a fixed number of requests in flight."""

    workload: Workload
    objectives: Objectives | None
    prefix_tokens: int = 0
    headroom: float = HEADROOM

    @property
    def request_tokens(self) -> int:
        """KV cache that a request holds at its end."""
        return self.workload.input_tokens + self.workload.output_tokens

    @property
    def context_tokens(self) -> float:
        """KV cache that a step reads for a request on average."""
        return self.workload.input_tokens + self.workload.output_tokens / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Figures of one efficiency with ``in_flight`` requests on each data-parallel rank: seconds and tokens per second
    of one replica."""

    in_flight: float
    ttft_seconds: float
    itl_seconds: float
    request_seconds: float
    output_tokens_per_second: float
    requests_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """``replicas`` and why: ``by_kv`` for the KV cache, ``by_tokens`` for tokens per second, ``limit`` the larger."""

    replicas: int
    by_kv: float
    by_tokens: float
    limit: str
    concurrency: float
    slow: Estimate
    fast: Estimate


@dataclass(frozen=True, slots=True)
class Missed:
    """An objective that no number of replicas meets."""

    constraint: str
    message: str


def estimate(machine: Machine, demand: Demand, in_flight: float, efficiency: Efficiency) -> Estimate:
    """With b in flight, prompts are computed between the steps of the others.

    W(b) = prefill × (1 + (b − 1) ÷ stages) + output × step(b); requests per second = b ÷ W(b);
    ITL = (W − TTFT) ÷ (output − 1). TTFT = prefill + one step for requests that come at a rate, nothing queued. A number
    in flight begins together, as `servespec bench` sends it, and the mean request waits for half of the others:
    prefill × (1 + (b − 1) ÷ 2 stages) + one step.
    """
    workload = demand.workload
    prefill = machine.prefill_seconds(workload.input_tokens - demand.prefix_tokens, efficiency)
    step = machine.step_seconds(in_flight, demand.context_tokens, efficiency)
    others = max(in_flight - 1, 0.0) / machine.split.pipeline
    seconds = prefill * (1 + others) + workload.output_tokens * step
    ahead = others / 2 if workload.requests_per_second is None else 0.0
    ttft = prefill * (1 + ahead) + step
    rate = machine.split.data * in_flight / seconds
    intervals = workload.output_tokens - 1
    return Estimate(
        in_flight=in_flight,
        ttft_seconds=ttft,
        itl_seconds=(seconds - ttft) / intervals if intervals else step,
        request_seconds=seconds,
        output_tokens_per_second=rate * workload.output_tokens,
        requests_per_second=rate,
    )


def size(machine: Machine, demand: Demand, concurrency: float) -> Sizing | Missed:
    """Replicas for the demand, where one data-parallel rank holds ``concurrency`` requests in its KV cache.

    For a rate: max(rate × W ÷ C, rate ÷ requests per second) × headroom, with b the most requests in
    flight that the KV cache holds and the objectives allow. For a number in flight: number ÷ b.
    """
    held = int(concurrency)
    if held < 1:
        return Missed("kv_cache", "the KV cache holds no request of the workload's length")
    allowed = _most_in_flight(machine, demand, held)
    if isinstance(allowed, Missed):
        return allowed
    slow = estimate(machine, demand, allowed, SLOW)
    rate = demand.workload.requests_per_second
    data = machine.split.data
    if rate is not None:
        wanted = rate * demand.headroom
        by_kv = wanted * slow.request_seconds / (data * held)
        by_tokens = wanted / slow.requests_per_second
    else:
        by_kv = demand.workload.concurrency / (data * held)
        by_tokens = demand.workload.concurrency / (data * allowed)
    tokens = demand.objectives.output_tokens_per_second if demand.objectives else None
    replicas = max(1, math.ceil(max(by_kv, by_tokens)))
    if tokens is not None:
        enough = _replicas_for_tokens(machine, demand, allowed, tokens, replicas)
        if isinstance(enough, Missed):
            return enough
        replicas = enough
        by_tokens = max(by_tokens, tokens / slow.output_tokens_per_second)
    used = allowed if rate is not None else _share(demand, data, replicas, allowed)
    return Sizing(
        replicas=replicas,
        by_kv=by_kv,
        by_tokens=by_tokens,
        limit="KV cache" if held == allowed and by_tokens <= by_kv * (1 + 1e-9) else "tokens per second",
        concurrency=data * concurrency,
        slow=estimate(machine, demand, used, SLOW),
        fast=estimate(machine, demand, used, FAST),
    )


def _share(demand: Demand, data: int, replicas: int, allowed: int) -> float:
    """Requests in flight on one rank, where a fixed number is spread evenly."""
    return max(1.0, min(allowed, demand.workload.concurrency / (replicas * data)))


def _most_in_flight(machine: Machine, demand: Demand, held: int) -> int | Missed:
    """The largest b up to ``held`` for which TTFT and ITL meet the objectives; both grow with b."""
    objectives = demand.objectives
    ttft = objectives.ttft_ms if objectives else None
    itl = objectives.itl_ms if objectives else None
    if ttft is None and itl is None:
        return held

    def meets(in_flight: int) -> bool:
        found = estimate(machine, demand, in_flight, SLOW)
        return (ttft is None or found.ttft_seconds * 1e3 <= ttft) and (
            itl is None or found.itl_seconds * 1e3 <= itl
        )

    if not meets(1):
        alone = estimate(machine, demand, 1, SLOW)
        if itl is not None and alone.itl_seconds * 1e3 > itl:
            return Missed(
                "itl_ms", f"ITL ≈ {alone.itl_seconds * 1e3:,.1f} ms for a request alone, {itl:g} asked"
            )
        return Missed(
            "ttft_ms", f"TTFT ≈ {alone.ttft_seconds * 1e3:,.0f} ms for a request alone, {ttft:g} asked"
        )
    low, high = 1, held
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if meets(middle) else (low, middle - 1)
    return low


def _replicas_for_tokens(
    machine: Machine, demand: Demand, allowed: int, tokens: float, least: int
) -> int | Missed:
    """The fewest replicas that make ``tokens`` per second together."""
    data = machine.split.data

    def made(replicas: int) -> float:
        is_open = demand.workload.requests_per_second is not None
        used = allowed if is_open else _share(demand, data, replicas, allowed)
        return replicas * estimate(machine, demand, used, SLOW).output_tokens_per_second

    most = max(least, MOST_REPLICAS)
    if demand.workload.requests_per_second is None:
        most = max(least, min(most, demand.workload.concurrency))
    if made(most) < tokens:
        return Missed(
            "output_tokens_per_second",
            f"≈ {made(most):,.0f} tokens/s with {most:,} replicas, {tokens:g} asked",
        )
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if made(middle) >= tokens else (middle + 1, high)
    return low
