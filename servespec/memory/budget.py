"""The memory budget: every term with its bytes, formula and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Verdict(StrEnum):
    """What becomes of a start, worst last."""

    fits = "fits"
    tight = "tight"
    unknown = "unknown"
    does_not_fit = "does_not_fit"
    invalid = "invalid"

    @property
    def rank(self) -> int:
        """Order from best to worst."""
        return _RANKS[self]


_RANKS = {verdict: rank for rank, verdict in enumerate(Verdict)}


class Term(NamedTuple):
    """One term: ``formula`` in the field's words, ``numbers`` the same with figures put in.

    A named tuple is made in a quarter of the time of a frozen dataclass, and a spec for three engines has two dozen terms.
    """

    name: str
    size_bytes: int
    formula: str
    source: str
    numbers: str = ""
    uncertainty_bytes: int = 0
    parts: tuple[Term, ...] = ()


class ShortfallKind(StrEnum):
    """Why an engine would refuse to start, or run out of memory."""

    weights_exceed_device = "weights_exceed_device"
    no_memory_for_kv = "no_memory_for_kv"
    context_exceeds_kv = "context_exceeds_kv"
    free_memory_below_budget = "free_memory_below_budget"
    warmup_exceeds_memory = "warmup_exceeds_memory"
    graphs_exceed_memory = "graphs_exceed_memory"
    engine_refuses = "engine_refuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """One reason not to start. ``needed_bytes`` against ``available_bytes``; ``certain`` when the
    difference is beyond the uncertainty. ``key`` is the spec key to change, ``fix`` how."""

    kind: ShortfallKind
    message: str
    needed_bytes: int
    available_bytes: int
    certain: bool
    key: str
    fix: str


class MemoryBudget(NamedTuple):
    """Where one GPU's memory goes, on the rank with the least KV cache.

    ``budget_bytes`` = weights + activation + non_torch + cuda_graph (what this engine version
    subtracts) + kv_cache. ``outside`` are terms beyond the budget that the engine takes all the
    same (graphs of engines that do not subtract them, request tables). ``kv_bytes_per_token`` is the average
    cost of a token at ``max_model_len``, ``kv_tokens`` the figure that the engine prints.
    ``uncertainty_bytes`` bounds the error of ``kv_cache_bytes``.
    """

    device_bytes: int
    budget_bytes: int
    weights: Term
    activation: Term
    non_torch: Term
    cuda_graph: Term
    kv_cache_bytes: int
    kv_bytes_per_token: float
    kv_tokens: int
    max_concurrency: float
    uncertainty_bytes: int
    verdict: Verdict
    outside: tuple[Term, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    estimated_max_model_len: int | None = None
    block_size: int = 0
    num_blocks: int = 0
    kv_formula: str = ""
    kv_source: str = ""
    calibration: str | None = None
    details: Mapping[str, int | float | str] = MappingProxyType({})

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms that, with the KV cache, add up to the budget."""
        return (self.weights, self.activation, self.non_torch, self.cuda_graph)
