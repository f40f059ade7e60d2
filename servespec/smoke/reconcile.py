"""The prediction held against what the engine says that it allocated."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from servespec.engines.observed import Observed
from servespec.memory.budget import MemoryBudget


class Agreement(StrEnum):
    """How far prediction and observation agree."""

    exact = "exact"
    within = "within uncertainty"
    off = "off"
    unstated = "no bound stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure: predicted and observed, in ``unit`` (bytes, tokens, blocks or requests)."""

    name: str
    unit: str
    predicted: float
    observed: float
    agreement: Agreement

    @property
    def difference(self) -> float:
        """Observed less predicted."""
        return self.observed - self.predicted


def merge(log: Observed, server: Observed) -> Observed:
    """One observation of both: the server's own figures go first, they are exact where a log rounds."""
    said = {
        item.name: getattr(server, item.name)
        for item in fields(server)
        if item.name not in ("engine", "ready") and getattr(server, item.name) is not None
    }
    return replace(log, **said)


def reconcile(budget: MemoryBudget, observed: Observed, max_model_len: int | None) -> tuple[Comparison, ...]:
    """Every figure that is both predicted and observed.

    Weights and KV cache are held against the uncertainty that the budget states for each; tokens, blocks and
    concurrency against that of the KV cache, at the budget's bytes per token. What the budget states no bound
    for is shown with its difference alone.
    """
    kv = budget.uncertainty_bytes
    per_token = budget.kv_bytes_per_token
    token_bound = kv / per_token if per_token else 0.0
    block_bound = token_bound / budget.block_size if budget.block_size else 0.0
    request_bound = token_bound / max_model_len if max_model_len else 0.0
    graphs = observed.cuda_graph_estimate_bytes
    figures: tuple[tuple[str, str, float | None, float | None, float | None], ...] = (
        (
            "weights",
            "bytes",
            budget.weights.size_bytes,
            observed.weights_bytes,
            _bound(budget.weights.uncertainty_bytes),
        ),
        (
            "activation",
            "bytes",
            budget.activation.size_bytes,
            observed.activation_bytes,
            _bound(budget.activation.uncertainty_bytes),
        ),
        (
            "non-torch",
            "bytes",
            budget.non_torch.size_bytes,
            observed.non_torch_bytes,
            _bound(budget.non_torch.uncertainty_bytes),
        ),
        (
            "graph estimate",
            "bytes",
            budget.cuda_graph.size_bytes,
            graphs,
            _bound(budget.cuda_graph.uncertainty_bytes),
        ),
        ("KV cache", "bytes", budget.kv_cache_bytes, observed.kv_cache_bytes, kv),
        ("KV tokens", "tokens", budget.kv_tokens, observed.kv_tokens, token_bound),
        ("KV blocks", "blocks", budget.num_blocks or None, observed.num_blocks, block_bound),
        ("concurrency", "requests", budget.max_concurrency, observed.max_concurrency, request_bound),
        ("max_model_len", "tokens", max_model_len, observed.max_model_len, 0.0),
    )
    return tuple(
        Comparison(
            name=name,
            unit=unit,
            predicted=predicted,
            observed=seen,
            agreement=_agreement(predicted, seen, bound),
        )
        for name, unit, predicted, seen, bound in figures
        if predicted is not None and seen is not None
    )


def _bound(uncertainty_bytes: int) -> float | None:
    return float(uncertainty_bytes) if uncertainty_bytes else None


def _agreement(predicted: float, observed: float, bound: float | None) -> Agreement:
    if predicted == observed:
        return Agreement.exact
    if bound is None:
        return Agreement.unstated
    return Agreement.within if abs(observed - predicted) <= bound else Agreement.off
