"""What was learned of one engine version on one GPU."""

from __future__ import annotations

from dataclasses import dataclass

RESIDUAL = "residual"
"""Name of the correction for what the KV cache differs by that no single measured term explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What has to be alike for a measured term to hold: compiled or eager, and ranks."""

    eager: bool
    tensor_parallel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedTerm:
    """The correction of one term: measured less predicted, the median over the rows.

    ``spread_bytes`` is the largest distance of a row from that median, ``rows`` how many there were.
    """

    name: str
    when: Conditions
    offset_bytes: int
    spread_bytes: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Corrections for one engine version on one GPU. ``name`` is shown wherever they are used."""

    name: str
    engine: str
    version: str
    gpu: str
    terms: tuple[CalibratedTerm, ...]

    def term(self, name: str, when: Conditions) -> CalibratedTerm | None:
        """The correction of that term under those conditions, if it was measured."""
        return next((term for term in self.terms if term.name == name and term.when == when), None)
