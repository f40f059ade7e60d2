"""From shortfalls to a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from servespec.memory.budget import Shortfall, Verdict


def verdict_of(shortfalls: Sequence[Shortfall], slack_bytes: int, uncertainty_bytes: int) -> Verdict:
    """Whether a start succeeds, given why it might not and what is left beyond the need.

    ``slack_bytes`` is what is available beyond what one request (and everything else that the
    engine checks) needs. A certain shortfall does not fit; an uncertain one, or slack within the
    uncertainty, is tight.
    """
    if any(shortfall.certain for shortfall in shortfalls):
        return Verdict.does_not_fit
    if shortfalls or slack_bytes < uncertainty_bytes:
        return Verdict.tight
    return Verdict.fits
