"""From measured rows to a calibration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from servespec.calibration.model import RESIDUAL, CalibratedTerm, Calibration, Conditions
from servespec.calibration.rows import Row

ALLOCATED = ("started", "allocated")
"""Outcomes of starts whose KV cache was sized."""

TERMS = ("weights_bytes", "activation_bytes", "non_torch_bytes", "cuda_graph_bytes")


def derive(rows: Iterable[Row], name: str) -> tuple[Calibration, ...]:
    """One calibration for each engine, version and GPU that the started rows are of.

    A term's correction is the median of measured less predicted; where an engine prints no terms, all of
    the difference in KV cache goes into one residual.
    """
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.outcome in ALLOCATED and row.predicted and row.measured.get("kv_cache_bytes") is not None:
            groups[row.engine, row.version, row.gpu].append(row)
    return tuple(
        Calibration(name=name, engine=engine, version=version, gpu=gpu, terms=_terms(group))
        for (engine, version, gpu), group in sorted(groups.items())
    )


def _terms(rows: list[Row]) -> tuple[CalibratedTerm, ...]:
    by_conditions: dict[Conditions, list[Row]] = defaultdict(list)
    for row in rows:
        by_conditions[Conditions(eager=row.eager, tensor_parallel=row.tensor_parallel)].append(row)
    found: list[CalibratedTerm] = []
    for when, group in sorted(
        by_conditions.items(), key=lambda item: (item[0].eager, item[0].tensor_parallel)
    ):
        offsets: dict[str, list[int]] = defaultdict(list)
        for row in group:
            explained = 0
            for term in TERMS:
                difference = row.difference(term)
                if difference is not None:
                    offsets[term].append(difference)
                    explained += difference
            missing = row.difference("kv_cache_bytes")
            if missing is not None:
                offsets[RESIDUAL].append(-missing - explained)
        found += [_term(name, when, values) for name, values in offsets.items()]
    return tuple(found)


def _term(name: str, when: Conditions, values: list[int]) -> CalibratedTerm:
    middle = int(median(values))
    spread = max(abs(value - middle) for value in values)
    return CalibratedTerm(name=name, when=when, offset_bytes=middle, spread_bytes=spread, rows=len(values))
