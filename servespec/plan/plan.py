"""From a spec and wishes to the configurations that serve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from servespec.errors import SourceError, UsageError
from servespec.plan.candidate import Checkpoint, Split
from servespec.plan.checkpoints import checkpoints
from servespec.plan.evaluate import Evaluator
from servespec.plan.search import Costs, Outcome, exhaustive, pareto, search
from servespec.plan.sizing import HEADROOM, Demand
from servespec.plan.space import Space, contexts, splits
from servespec.spec.model import Model, Spec, Workload

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU
    from servespec.plan.evaluate import Fit
    from servespec.plan.prices import Prices
    from servespec.resolve import Facts

VARIABLE = ("tensor", "pipeline", "data", "kv_dtype", "context", "quantization")
DEFAULT_VARY = frozenset({"tensor", "pipeline", "data"})
"""What changes no answer of the model varies by itself; the rest is asked for."""

KV_DTYPES = ("fp8",)
"""KV types that are tried besides the spec's own; the engines' rules say who has it."""

NETWORK_GBPS = 400.0
"""Network between nodes where none is given: one port of 400 Gbit/s for each GPU (NVIDIA DGX H100 data sheet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is asked beyond the spec. ``gpus`` empty: the whole catalogue (with ``prices``: all that have one).

    ``further`` are more checkpoints of the same model, ``network_gbps`` is Gbit/s of each GPU
    between nodes; ``most_nodes`` are taken one after the other, until some number serves the workload.
    """

    gpus: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    vary: frozenset[str] = DEFAULT_VARY
    prices: Prices | None = None
    further: tuple[Model, ...] = ()
    most_nodes: int = 2
    headroom: float = HEADROOM
    network_gbps: float = NETWORK_GBPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer. ``best`` is the winner; ``of_each`` has the best of each GPU and checkpoint that was named.

    ``answers`` is the Pareto set, the winner first. ``seconds`` is the search's own time.
    """

    spec: Spec
    demand: Demand
    space: Space
    answers: Sequence[Fit]
    outcomes: Sequence[Outcome]
    prices: Prices | None
    seconds: float
    is_by_name: bool = False

    @property
    def best(self) -> Fit | None:
        """The cheapest, else the one with the fewest GPUs; concessions only where nothing else serves it."""
        return self.answers[0] if self.answers else None

    @property
    def of_each(self) -> list[Fit]:
        """The best for each GPU and checkpoint that was named."""
        if not self.is_by_name:
            return []
        return [outcome.answers[0] for outcome in self.outcomes if outcome.answers]

    @property
    def candidates(self) -> int:
        """How many configurations were considered."""
        return sum(outcome.candidates for outcome in self.outcomes)

    @property
    def exact(self) -> int:
        """How many of them were put to the engine's budget."""
        return sum(outcome.exact for outcome in self.outcomes)

    def price_per_hour(self, fit: Fit) -> float | None:
        """Of all replicas; None without a price file."""
        return None if self.prices is None else self.prices.per_hour[fit.candidate.gpu.name] * fit.gpus


def plan(spec: Spec, directory: Path, wishes: Wishes, *, prune: bool = True, online: bool = False) -> Plan:
    """Search. ``prune`` False puts every configuration to the engine's budget.

    Raises UsageError for wishes that make no sense, SourceError for model facts that cannot be found,
    UnknownGPUError for a GPU.
    """
    from servespec.resolve import find_facts

    facts = find_facts(spec, directory, online=online)
    own = _own(spec, facts)
    demand = _demand(spec, wishes)
    gpus = _gpus(wishes)
    space = _space(spec, own, directory, wishes, gpus, demand)
    costs = Costs(wishes.prices.per_hour if wishes.prices else None)
    started = perf_counter()
    network = wishes.network_gbps * 1e9 / 8
    find = search if prune else exhaustive
    outcomes = []
    for part in _parts(space, wishes):
        for nodes in range(1, wishes.most_nodes + 1):
            part = replace(part, splits=splits(nodes, wishes.vary, _given(spec)))
            outcome = find(part.candidates(), Evaluator(spec, directory, facts, demand, network), costs)
            outcomes.append(outcome)
            if outcome.answers:
                break
    found = [(costs.of(f.candidate, f.gpus), f.candidate.rank, f) for o in outcomes for f in o.answers]
    answers = pareto(found)
    if wishes.prices is not None:
        answers.sort(key=lambda fit: _preference(fit, wishes.prices))
    else:
        answers.sort(key=lambda fit: (_concessions(fit) > 0, fit.gpus, fit.candidate.gpu.total_bytes))
    return Plan(
        spec=spec,
        demand=demand,
        space=space,
        answers=answers,
        outcomes=outcomes,
        prices=wishes.prices,
        seconds=perf_counter() - started,
        is_by_name=bool(wishes.gpus or wishes.further),
    )


def _preference(fit: Fit, prices: Prices | None) -> tuple[float, ...]:
    price = prices.per_hour[fit.candidate.gpu.name] * fit.gpus if prices else 0.0
    return (_concessions(fit) > 0, price, fit.gpus)


def _concessions(fit: Fit) -> int:
    """How many of checkpoint, KV type and context are not the spec's own."""
    return sum(place > 0 for place in fit.candidate.rank[:3])


def _own(spec: Spec, facts: Facts) -> Checkpoint:
    if facts.model is None or _lacks_draft(spec, facts):
        words = [d.message for d in facts.diagnostics if d.key and not d.key.startswith("hardware")]
        raise SourceError("; ".join(words) or f"nothing is known of the model {spec.model.id}")
    return Checkpoint(spec.model, facts.model, spec.model.id)


def _lacks_draft(spec: Spec, facts: Facts) -> bool:
    speculative = spec.speculative
    return facts.draft is None and speculative is not None and bool(speculative.model or speculative.config)


def _demand(spec: Spec, wishes: Wishes) -> Demand:
    if not 1 <= wishes.headroom <= 10:
        raise UsageError(f"a headroom of {wishes.headroom:g} makes no sense: 1 to 10 was expected, as in 1.2")
    workload = spec.workload or Workload()
    prefix = 0 if spec.kv_cache.prefix_caching is False else workload.shared_prefix_tokens
    return Demand(workload, spec.objectives, min(prefix, workload.input_tokens), wishes.headroom)


def _gpus(wishes: Wishes) -> tuple[GPU, ...]:
    from servespec.hardware.catalogue import gpus, named

    prices: Mapping[str, float] | None = wishes.prices.per_hour if wishes.prices else None
    if wishes.gpus:
        chosen = tuple(dict.fromkeys(named(name) for name in wishes.gpus))
        missing = [gpu.name for gpu in chosen if prices is not None and gpu.name not in prices]
        if missing:
            raise UsageError(f"the price file has no price for {', '.join(missing)}")
        return chosen
    everything = (
        gpu for gpu in gpus() if (prices is not None and gpu.name in prices) or "-MIG-" not in gpu.name
    )
    return tuple(gpu for gpu in everything if prices is None or gpu.name in prices)


def _space(
    spec: Spec, own: Checkpoint, directory: Path, wishes: Wishes, gpus: tuple[GPU, ...], demand: Demand
) -> Space:
    from servespec.engines import engine_names
    from servespec.resolve import engines_of

    for name in wishes.vary - set(VARIABLE):
        raise UsageError(f"{name!r} cannot vary: {', '.join(VARIABLE)} can")
    for name in set(wishes.engines) - set(engine_names()):
        raise UsageError(f"no engine is named {name!r}; there are {', '.join(engine_names())}")
    if not 1 <= wishes.most_nodes <= 64:
        raise UsageError(f"{wishes.most_nodes} nodes make no sense: 1 to 64 was expected")
    needed = demand.request_tokens
    longest = own.facts.context_tokens
    asked = spec.limits.max_model_len
    if needed > (asked or longest):
        raise UsageError(
            f"a request of the workload has {needed:,} tokens, the longest allowed are {asked or longest:,}: "
            "raise limits.max_model_len, or take a model with a longer context"
        )
    further = wishes.further
    varies = "quantization" in wishes.vary
    of_model = tuple(checkpoints(own, directory, further)) if varies else (own, *_named(further, directory))
    kv_dtypes = [spec.kv_cache.dtype]
    if "kv_dtype" in wishes.vary:
        kv_dtypes += [name for name in KV_DTYPES if name != spec.kv_cache.dtype]
    return Space(
        checkpoints=tuple(enumerate(of_model)),
        engines=wishes.engines or engines_of(spec),
        gpus=gpus,
        kv_dtypes=kv_dtypes,
        contexts=contexts(asked, longest, needed) if "context" in wishes.vary else (asked,),
        splits=splits(1, wishes.vary, _given(spec)),
    )


def _parts(space: Space, wishes: Wishes) -> list[Space]:
    """What is searched apart: each GPU where some are named, each checkpoint where some are."""
    gpus = [(gpu,) for gpu in space.gpus] if wishes.gpus else [tuple(space.gpus)]
    all_of_them = tuple(space.checkpoints)
    forms = [(one,) for one in all_of_them] if wishes.further else [all_of_them]
    return [replace(space, gpus=some, checkpoints=form) for some in gpus for form in forms]


def _given(spec: Spec) -> Split:
    return Split(spec.parallel.tensor, spec.parallel.pipeline, spec.parallel.data)


def _named(further: tuple[Model, ...], directory: Path) -> tuple[Checkpoint, ...]:
    from servespec.models import find

    return tuple(
        Checkpoint(model, find(model, directory), model.config or model.id, is_own=False) for model in further
    )
