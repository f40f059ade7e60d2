"""The prediction held against what the engine says that it allocated."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from servespec.engines.observed import Observed
from servespec.memory.budget import MemoryBudget, Term


class Agreement(StrEnum):
    """How far prediction and observation agree."""

    exact = "exact"
    """Equal to the last digit that the engine prints."""
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
        if item.name not in ("engine", "ready", "precision", "ranks")
        and getattr(server, item.name) is not None
    }
    rounded = {name: half for name, half in log.precision.items() if name not in said} | dict(
        server.precision
    )
    return replace(log, **said, precision=rounded)


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
    figures: tuple[tuple[str, str, str, float | None, float | None], ...] = (
        ("weights", "bytes", "weights_bytes", *_term(budget.weights)),
        ("activation", "bytes", "activation_bytes", *_term(budget.activation)),
        ("non-torch", "bytes", "non_torch_bytes", *_term(budget.non_torch)),
        ("graph estimate", "bytes", "cuda_graph_estimate_bytes", *_term(budget.cuda_graph)),
        ("KV cache", "bytes", "kv_cache_bytes", budget.kv_cache_bytes, kv),
        ("KV tokens", "tokens", "kv_tokens", budget.kv_tokens, token_bound),
        ("KV blocks", "blocks", "num_blocks", budget.num_blocks or None, block_bound),
        ("concurrency", "requests", "max_concurrency", budget.max_concurrency, request_bound),
        ("max_model_len", "tokens", "max_model_len", max_model_len, 0.0),
    )
    return tuple(
        Comparison(
            name=name,
            unit=unit,
            predicted=predicted,
            observed=seen,
            agreement=_agreement(abs(seen - predicted), observed.precision.get(field, 0.0), bound),
        )
        for name, unit, field, predicted, bound in figures
        if predicted is not None and (seen := getattr(observed, field)) is not None
    )


def _term(term: Term) -> tuple[float, float | None]:
    """A term's bytes and the bound on its error; None where the budget states none."""
    return term.size_bytes, float(term.uncertainty_bytes) or None


def _agreement(difference: float, rounding: float, bound: float | None) -> Agreement:
    if difference <= rounding:
        return Agreement.exact
    if bound is None:
        return Agreement.unstated
    return Agreement.within if difference <= bound + rounding else Agreement.off
