"""Terms mended by what was measured on the same GPU with the same engine version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.calibration.model import RESIDUAL
from servespec.memory.budget import Term

if TYPE_CHECKING:
    from servespec.calibration.model import Conditions
    from servespec.deployment import Deployment


def calibrated(term: Term, figure: str, deployment: Deployment, when: Conditions) -> Term:
    """The term with the calibration's correction of ``figure`` (``activation_bytes``), the same without one."""
    if deployment.calibration is None:
        return term
    found = deployment.calibration.term(figure, when)
    if found is None:
        return term
    return term._replace(
        size_bytes=max(0, term.size_bytes + found.offset_bytes),
        numbers=f"{term.numbers} {found.offset_bytes:+,}".strip(),
        source=f"{term.source}; calibration {deployment.calibration.name} ({found.rows} starts)",
        uncertainty_bytes=max(found.spread_bytes, 8 * 2**20)
        if found.rows >= ROWS_TO_TRUST
        else term.uncertainty_bytes,
    )


ROWS_TO_TRUST = 3
"""Starts from which on the spread of the measured rows replaces the uncertainty of the formula."""


def with_residual(term: Term, deployment: Deployment, when: Conditions) -> Term:
    """The term with what starts under these conditions took beyond every term that the engine prints."""
    return calibrated(term, RESIDUAL, deployment, when)
