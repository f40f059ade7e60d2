"""What the model says of GPUs and families that its measured constants have not seen.

Two views. By provenance: each constant names the rows that it was read from (``data/fitted.json``); a GPU or family
without a single one of them is held out as the model stands. By refitting: vLLM's two constants that are plain
statistics of rows (non-torch bytes: a median; the graph estimate: a line through layers) are fitted anew without the
group, and its cases predicted with what is left.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.accuracy.cases import DATA, Case
from benchmarks.accuracy.figures import Prediction, Summary, error, summarise
from benchmarks.accuracy.predict import Reports, target_of
from benchmarks.accuracy.questions import hub_id
from servespec.engines.vllm.graphs import ESTIMATE_MIB, ESTIMATE_MIB_PER_LAYER, MIB

Group = Callable[[Case], str]


@dataclass(frozen=True, slots=True)
class Held:
    """One group's errors of KV tokens: as the model stands, and (vLLM) with its rows taken out of the constants."""

    name: str
    seen: bool
    weights: Summary
    tokens: Summary
    refitted: Summary


def gpu(case: Case) -> str:
    """The case's GPU."""
    return case.gpu


def family(case: Case) -> str:
    """The ``model_type`` of the case's configuration."""
    from servespec.models.sources import catalogue

    found = catalogue.read(hub_id(case))
    return str(found.config.get("model_type", "?")) if found else "?"


def fitted_rows(cases: Sequence[Case]) -> frozenset[str]:
    """The ids of the cases that any constant was read from."""
    entries = json.loads((DATA / "fitted.json").read_text(encoding="utf-8"))
    prefixes = tuple(prefix for entry in entries for prefix in entry["rows"])
    return frozenset(case.id for case in cases if case.id.startswith(prefixes))


def held_out(
    cases: Sequence[Case], predictions: Mapping[str, Prediction], found: Reports, group: Group
) -> tuple[Held, ...]:
    """Every group of cases with what it gave to the constants, largest first."""
    fitted = fitted_rows(cases)
    again = refitted(cases, predictions, found, group)
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(group(case), []).append(case)
    result = []
    for name, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        result.append(
            Held(
                name,
                any(case.id in fitted for case in members),
                summarise(error(case, predictions[case.id], "weights_bytes") for case in members),
                summarise(error(case, predictions[case.id], "kv_tokens") for case in members),
                summarise(error(case, again[case.id], "kv_tokens") for case in members if case.id in again),
            )
        )
    return tuple(result)


def refitted(
    cases: Sequence[Case], predictions: Mapping[str, Prediction], found: Reports, group: Group
) -> dict[str, Prediction]:
    """Every vLLM case predicted with constants fitted without its own group."""
    vllm = [case for case in cases if case.engine == "vllm"]
    result: dict[str, Prediction] = {}
    for name in sorted({group(case) for case in vllm}):
        members = [case for case in vllm if group(case) == name]
        rest = [case for case in vllm if group(case) != name]
        result |= refit(members, rest, predictions, found)
    return result


def refit(
    members: Sequence[Case], rest: Sequence[Case], predictions: Mapping[str, Prediction], found: Reports
) -> dict[str, Prediction]:
    """The members' predictions with non-torch bytes and graph estimate fitted on the rest alone."""
    result = {}
    for case in members:
        prediction = predictions[case.id]
        if (
            prediction.kv_cache_bytes is None
            or prediction.kv_tokens is None
            or prediction.kv_cache_bytes <= 0
        ):
            result[case.id] = prediction
            continue
        old_non_torch, old_graphs = _term(case, found, "non_torch"), _term(case, found, "cuda_graph")
        new = _non_torch(case, rest, found) + (_graphs(case, rest, found) if old_graphs else 0.0)
        size = prediction.kv_cache_bytes + old_non_torch + old_graphs - new
        tokens = prediction.kv_tokens * size / prediction.kv_cache_bytes
        result[case.id] = replace(prediction, kv_cache_bytes=size, kv_tokens=tokens)
    return result


def _term(case: Case, found: Reports, name: str) -> float:
    target = target_of(case, found[case.id])
    terms = ((target or {}).get("memory") or {}).get("terms", ())
    return float(next((term["bytes"] for term in terms if term["name"] == name), 0))


def _non_torch(case: Case, rest: Sequence[Case], found: Reports) -> float:
    """The median of the rows that share the case's constant; without any, of those with as many ranks or several."""
    mine = _term(case, found, "non_torch")
    measured = [other for other in rest if other.measured.get("non_torch_bytes")]
    like = [other for other in measured if _term(other, found, "non_torch") == mine]
    like = like or [other for other in measured if (_ranks(other) > 1) == (_ranks(case) > 1)]
    return statistics.median(float(other.measured["non_torch_bytes"]) for other in like) if like else 0.0


def _ranks(case: Case) -> int:
    parallel = case.spec.get("parallel") or {}
    return int(parallel.get("tensor", 1)) * int(parallel.get("pipeline", 1))


def _graphs(case: Case, rest: Sequence[Case], found: Reports) -> float:
    """The line through the exact rows that are left; their mean where they have one depth; 0 where none is left."""
    points = [
        (_layers(other), float(other.measured["cuda_graph_bytes"]) / _graph_share(other, found))
        for other in rest
        if other.confidence == "exact"
        and other.measured.get("cuda_graph_bytes")
        and _term(other, found, "cuda_graph")
    ]
    if not points:
        return 0.0
    depths, sizes = [float(layers) for layers, _ in points], [size for _, size in points]
    slope, start = (0.0, statistics.fmean(sizes))
    if len(set(depths)) > 1:
        slope, start = statistics.linear_regression(depths, sizes)
    return (start + slope * _layers(case)) * _graph_share(case, found)


def _graph_share(case: Case, found: Reports) -> float:
    """Capture sizes as a share of the full set, read back from the predicted estimate."""
    full = (ESTIMATE_MIB + ESTIMATE_MIB_PER_LAYER * _layers(case)) * MIB
    return _term(case, found, "cuda_graph") / full


def _layers(case: Case) -> int:
    from servespec.models.build import facts_from_config
    from servespec.models.sources import catalogue

    known = catalogue.read(hub_id(case))
    if known is None:
        raise KeyError(case.id)
    facts = facts_from_config(
        known.config, id=hub_id(case), source="catalogue", hf_quant_config=known.hf_quant_config
    )
    return facts.layers
