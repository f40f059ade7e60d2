"""Best first, with bounds: only configurations that may still be an answer are put to the engine's budget."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import le
from typing import TYPE_CHECKING, Any

from servespec.plan import bounds
from servespec.plan.evaluate import Effective, Evaluator, Fit, Refusal
from servespec.plan.sizing import Missed, size

if TYPE_CHECKING:
    from servespec.plan.candidate import Candidate

Cost = tuple[float, ...]
"""What an answer is judged by, all to be small: GPUs; price per hour, or memory of all GPUs; then concessions."""

Ranked = Sequence[Any]
"""What is compared: a cost, the rank of the candidate, and whatever it belongs to."""

GIB = 2**30
FREE, BOUNDED, SETTLED = range(3)
"""How much is known of a waiting candidate: its GPUs; bounds by sizes alone; bounds by its settings too."""


@dataclass(slots=True)
class Outcome:
    """What the search found, and why the rest is no answer."""

    answers: list[Fit]
    refused: list[tuple[Candidate, Refusal]] = field(default_factory=list)
    dominated: Counter[str] = field(default_factory=Counter)
    candidates: int = 0
    exact: int = 0


@dataclass(frozen=True, slots=True)
class Costs:
    """How configurations are compared. ``prices`` is per GPU and hour by the GPU's name, None without a price file.

    Without prices the memory of all GPUs together stands for what they cost. Another checkpoint, another KV type and a
    shorter context are concessions: they only win where they save something.
    """

    prices: Mapping[str, float] | None

    def of(self, candidate: Candidate, gpus: int) -> Cost:
        """The cost of a configuration with that many GPUs in all."""
        rank = candidate.rank
        gpu = candidate.gpu
        each = self.prices[gpu.name] * gpus if self.prices is not None else gpus * gpu.total_bytes / GIB
        return (float(gpus), each, float(rank[0]), float(rank[1]), float(rank[2]))


def dominates(one: Ranked, other: Ranked) -> bool:
    """Whether the first is nowhere worse, and better somewhere or preferred by rank."""
    return all(map(le, one[0], other[0])) and (one[0] != other[0] or one[1] < other[1])


def search(candidates: Iterable[Candidate], evaluator: Evaluator, costs: Costs) -> Outcome:
    """The Pareto set, the same as :func:`exhaustive` finds.

    A candidate waits under the least that it can cost; it is dropped when an answer is at least as good as that, and
    evaluated when its turn comes and nothing is.
    """
    outcome = Outcome([])
    best: list[tuple[Cost, tuple[int, ...], Fit]] = []
    beaten: set[Cost] = set()  # whatever the rank: costs of which an answer has a better one
    queue: list[tuple[Cost, tuple[int, ...], int, Candidate]] = []
    memo: dict[tuple[object, ...], int | Refusal] = {}
    for candidate in candidates:
        outcome.candidates += 1
        queue.append((costs.of(candidate, candidate.split.gpus), candidate.rank, FREE, candidate))
    heapq.heapify(queue)
    while queue:
        cost, rank, stage, candidate = heapq.heappop(queue)
        if cost in beaten:
            outcome.dominated[candidate.gpu.name] += 1
            continue
        better = next((entry for entry in best if dominates(entry, (cost, rank))), None)
        if better is not None:
            if better[0] != cost:
                beaten.add(cost)
            outcome.dominated[candidate.gpu.name] += 1
            continue
        if stage == FREE:
            cannot = evaluator.inexpressible(candidate) or evaluator.refused_everywhere(candidate)
            if cannot is not None:
                outcome.refused.append((candidate, cannot))
                continue
        if stage < SETTLED:
            known = evaluator.effective(candidate) if stage == BOUNDED else Effective()
            least = _least_replicas(candidate, evaluator, memo, known)
            if isinstance(least, Refusal):
                outcome.refused.append((candidate, least))
                continue
            bounded = costs.of(candidate, candidate.split.gpus * least)
            heapq.heappush(queue, (bounded, rank, stage + 1, candidate))
            continue
        found = evaluator.evaluate(candidate)
        if isinstance(found, Refusal):
            outcome.refused.append((candidate, found))
            continue
        cost = costs.of(candidate, found.gpus)
        best = [entry for entry in best if not dominates((cost, rank), entry)]
        best.append((cost, rank, found))
    outcome.answers = pareto(best)
    outcome.exact = evaluator.exact
    return outcome


def exhaustive(candidates: Iterable[Candidate], evaluator: Evaluator, costs: Costs) -> Outcome:
    """The same without bounds: every candidate is put to the engine's budget."""
    outcome = Outcome([])
    found = []
    for candidate in candidates:
        outcome.candidates += 1
        fit = evaluator.evaluate(candidate)
        if isinstance(fit, Refusal):
            outcome.refused.append((candidate, fit))
        else:
            found.append((costs.of(candidate, fit.gpus), candidate.rank, fit))
    outcome.answers = pareto(found)
    outcome.exact = evaluator.exact
    return outcome


def pareto(found: Sequence[tuple[Cost, tuple[int, ...], Fit]]) -> list[Fit]:
    """Those that no other dominates, the least cost first."""
    ordered = sorted(found, key=lambda entry: entry[:2])
    kept: list[tuple[Cost, tuple[int, ...], Fit]] = []
    for entry in ordered:
        if not any(dominates(other, entry) for other in kept):
            kept.append(entry)
    return [fit for _, _, fit in kept]


def _least_replicas(
    candidate: Candidate,
    evaluator: Evaluator,
    memo: dict[tuple[object, ...], int | Refusal],
    known: Effective,
) -> int | Refusal:
    """Replicas that are needed at the least, or why the configuration cannot be an answer.

    ``known`` are settings that the engine resolved, where it was asked already.
    """
    if bounds.is_free_of_bounds(evaluator.base, candidate.engine):
        return 1
    key = (id(candidate.checkpoint), candidate.gpu.name, candidate.split, candidate.kv_dtype, known)
    if key not in memo:
        memo[key] = _reckon(candidate, evaluator, known)
    return memo[key]


def _reckon(candidate: Candidate, evaluator: Evaluator, known: Effective) -> int | Refusal:
    weights = bounds.least_weights_bytes(candidate)
    kv_bytes = bounds.most_kv_bytes(candidate, evaluator.base, weights, known.memory_share)
    if kv_bytes <= 0:
        room = (kv_bytes + weights) / GIB
        message = f"at least {weights / GIB:,.1f} GiB of weights on each GPU, {room:,.1f} GiB there"
        return Refusal("weights_exceed_device", message)
    facts, kv_dtype, split = candidate.checkpoint.facts, candidate.kv_dtype, candidate.split
    if known.longest_request is not None:
        longest = bounds.least_kv_bytes_of_request(facts, kv_dtype, split, known.longest_request)
        if longest > kv_bytes:
            return Refusal(
                "context_exceeds_kv",
                f"{kv_bytes / GIB:,.2f} GiB at most for KV cache, one request of {known.longest_request:,} tokens needs "
                f"{longest / GIB:,.2f}",
            )
    of_request = bounds.least_kv_bytes_of_request(facts, kv_dtype, split, evaluator.demand.request_tokens)
    concurrency = bounds.most_concurrency(kv_bytes, of_request, evaluator.base)
    if concurrency < 1:
        return Refusal(
            "kv_cache",
            f"{kv_bytes / GIB:,.2f} GiB at most for KV cache, one request of the workload needs "
            f"{of_request / GIB:,.2f}",
        )
    if not candidate.gpu.bandwidth_bytes_per_second:
        return 1
    per_token = bounds.least_kv_bytes_per_token(facts, kv_dtype, split)
    sized = size(evaluator.machine(candidate, weights, per_token), evaluator.demand, concurrency)
    return (
        Refusal(sized.constraint, f"at best {sized.message}") if isinstance(sized, Missed) else sized.replicas
    )
