"""The engine's own word on a configuration: the budget and the rules that `servespec check` has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.diagnostics import Severity
from servespec.errors import ServespecError
from servespec.memory.budget import MemoryBudget, Verdict
from servespec.plan import bounds
from servespec.plan.roofline import Machine, work_of
from servespec.plan.sizing import Missed, Sizing, size

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.diagnostics import Diagnostic
    from servespec.plan.candidate import Candidate
    from servespec.plan.roofline import Work
    from servespec.plan.sizing import Demand
    from servespec.resolve import Facts, Resolution
    from servespec.spec.model import Spec

SEQUENCE_SETTINGS = ("max_num_seqs", "max_running_requests", "max_batch_size")
"""What engines call the most sequences that they schedule together."""

FRACTION_SETTINGS = ("gpu_memory_utilization", "mem_fraction_static", "cuda_memory_fraction")
"""What engines call the share of the device that weights and KV cache have together, with more or less beside them."""


LONGEST_SETTINGS = ("max_model_len", "max_total_tokens")
"""What engines call the longest request, those that do not start where the KV cache cannot hold one."""


@dataclass(frozen=True, slots=True)
class Effective:
    """What the engine resolves for a candidate that bounds can use; None where it has no such setting.

    ``memory_share`` of the device for weights and KV cache, ``longest_request`` in tokens that the cache has to hold.
    """

    memory_share: float | None = None
    longest_request: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A configuration that check says fits, and what it can do."""

    candidate: Candidate
    version: str
    budget: MemoryBudget
    sizing: Sizing

    @property
    def gpus(self) -> int:
        """GPUs of all replicas."""
        return self.candidate.split.gpus * self.sizing.replicas


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a configuration is no answer: the binding constraint, in a word and in a sentence."""

    constraint: str
    message: str


class Evaluator:
    """Evaluates configurations of one spec; facts and work are made once for each checkpoint."""

    def __init__(self, base: Spec, directory: Path, draft: Facts, demand: Demand, network: float) -> None:
        """Keep what all configurations share; ``network`` is bytes per second between nodes, one way."""
        self.base = base
        self.directory = directory
        self.demand = demand
        self.network = network
        self.exact = 0
        self._draft = draft.draft
        self._work: dict[int, Work] = {}
        self._resolved: dict[Candidate, Resolution] = {}
        self._inexpressible: dict[tuple[str, tuple[bool, ...]], Refusal | None] = {}
        self._everywhere: dict[tuple[object, ...], Refusal | None] = {}

    def work(self, candidate: Candidate) -> Work:
        """The work of the candidate's checkpoint."""
        key = id(candidate.checkpoint)
        if key not in self._work:
            checkpoint = candidate.checkpoint
            self._work[key] = work_of(checkpoint.facts, checkpoint.model.quantization)
        return self._work[key]

    def machine(self, candidate: Candidate, weights_bytes: float, kv_bytes_per_token: float) -> Machine:
        """The candidate's GPUs, with what each holds."""
        return Machine(
            work=self.work(candidate),
            gpu=candidate.gpu,
            split=candidate.split,
            weights_bytes=weights_bytes,
            kv_bytes_per_token=kv_bytes_per_token,
            network_bytes_per_second=self.network,
        )

    def inexpressible(self, candidate: Candidate) -> Refusal | None:
        """That the engine's version has no way to split a model so, whatever the GPU."""
        split = candidate.split
        key = (candidate.engine, tuple(size > 1 for size in split))
        if key not in self._inexpressible:
            self._inexpressible[key] = self._split_refusal(candidate)
        return self._inexpressible[key]

    def _split_refusal(self, candidate: Candidate) -> Refusal | None:
        from servespec.engines import get_engine

        try:
            deployment = self._resolve(candidate).deployment
        except ServespecError:
            return None  # the evaluation says what it is
        for found in get_engine(candidate.engine).inexpressible(deployment):
            if found.severity is Severity.error and (found.key or "").startswith("parallel."):
                return Refusal("inexpressible", found.message)
        return None

    def refused_everywhere(self, candidate: Candidate) -> Refusal | None:
        """The error of a rule that holds for the candidate's checkpoint, engine, KV type and context on any GPU."""
        key = (id(candidate.checkpoint), candidate.engine, candidate.kv_dtype, candidate.max_model_len)
        if key not in self._everywhere:
            self._everywhere[key] = self._rule_refusal(candidate)
        return self._everywhere[key]

    def _rule_refusal(self, candidate: Candidate) -> Refusal | None:
        from servespec.plan.everywhere import error_everywhere

        try:
            deployment = self._resolve(candidate).deployment
        except ServespecError:
            return None  # the evaluation says what it is
        found = error_everywhere(deployment, self.directory)
        return Refusal(found.code, found.message) if found is not None else None

    def effective(self, candidate: Candidate) -> Effective:
        """Settings of the candidate that cost far less to know than its budget."""
        try:
            settings = self._resolve(candidate).deployment.settings
        except ServespecError:
            return Effective()  # the evaluation says what it is
        shares = (settings.value(name) for name in FRACTION_SETTINGS)
        lengths = (settings.value(name) for name in LONGEST_SETTINGS)
        is_cut = settings.flag("max_model_len_is_auto")
        return Effective(
            next((float(value) for value in shares if isinstance(value, int | float)), None),
            None if is_cut else next((value for value in lengths if type(value) is int), None),
        )

    def _resolve(self, candidate: Candidate) -> Resolution:
        """The candidate as a deployment. Raises ServespecError."""
        from servespec.resolve import Facts, resolve_target

        if candidate not in self._resolved:
            facts = Facts(model=candidate.checkpoint.facts, gpu=candidate.gpu, draft=self._draft)
            spec = candidate.spec(self.base)
            self._resolved[candidate] = resolve_target(spec, candidate.engine, facts, self.directory)
        return self._resolved[candidate]

    def evaluate(self, candidate: Candidate) -> Fit | Refusal:
        """Resolve, budget and rules of the engine, then the sizing."""
        from servespec.engines import get_engine
        from servespec.rules.subject import Subject

        self.exact += 1
        try:
            resolution = self._resolve(candidate)
            budget = get_engine(candidate.engine).budget(resolution.deployment)
        except ServespecError as error:
            return Refusal("not_modelled", str(error))
        finally:
            self._resolved.pop(candidate, None)
        deployment = resolution.deployment
        spec = deployment.spec
        if budget.verdict is not Verdict.fits:
            return _memory_refusal(budget)
        whole = Subject(spec=spec, directory=self.directory)
        target = Subject(spec=spec, deployment=deployment, budget=budget, directory=self.directory)
        found = [*resolution.diagnostics, *_findings(whole), *_findings(target)]
        errors = [d for d in found if d.severity is Severity.error and d.engine in (None, candidate.engine)]
        if errors:
            return Refusal(errors[0].code, errors[0].message)
        machine = self._loaded(candidate, budget)
        sized = size(machine, self.demand, self._concurrency(budget, deployment))
        if isinstance(sized, Missed):
            return Refusal(sized.constraint, sized.message)
        return Fit(candidate=candidate, version=deployment.version, budget=budget, sizing=sized)

    def _loaded(self, candidate: Candidate, budget: MemoryBudget) -> Machine:
        """The machine with the budget's sizes. Those are of one stage, which may be smaller than the others: an even
        share of all stages is the least that is read."""
        facts = candidate.checkpoint.facts
        return self.machine(
            candidate,
            max(budget.weights.size_bytes, bounds.least_weights_bytes(candidate)),
            max(
                budget.kv_bytes_per_token,
                bounds.least_kv_bytes_per_token(facts, candidate.kv_dtype, candidate.split),
            ),
        )

    def _concurrency(self, budget: MemoryBudget, deployment: Deployment) -> float:
        """Requests of the workload's length in the KV cache of one data-parallel rank, as many as are scheduled."""
        own = budget.details.get("workload_concurrency")
        held = own if isinstance(own, int | float) else budget.kv_tokens / self.demand.request_tokens
        settings = (deployment.settings.value(name) for name in SEQUENCE_SETTINGS)
        most = [
            value
            for value in settings
            if isinstance(value, int) and not isinstance(value, bool) and value > 0
        ]
        limit = self.base.limits.max_concurrent_requests
        return float(min([held, *most, *([limit] if limit else [])]))


def _findings(subject: object) -> list[Diagnostic]:
    from servespec.rules.registry import rules_in_question
    from servespec.rules.subject import Subject

    assert isinstance(subject, Subject)
    return [finding for rule in rules_in_question(subject) for finding in rule.diagnose(subject)]


def _memory_refusal(budget: MemoryBudget) -> Refusal:
    first = next(iter(budget.shortfalls), None)
    if first is None:
        return Refusal(
            str(budget.verdict), "the engine's start lies within the uncertainty of the prediction"
        )
    kind = "tight" if budget.verdict is Verdict.tight else str(first.kind)
    return Refusal(kind, first.message)
