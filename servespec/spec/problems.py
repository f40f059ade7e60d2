"""Findings of the reader itself (SV0xx); their cards are in :mod:`servespec.rules.spec`."""

from __future__ import annotations

from servespec.diagnostics import Diagnostic, Fix, Severity, Span

MAX_PROBLEMS = 100
"""Mistakes of one file that are told; nobody reads on after so many."""


def problem(
    code: str,
    message: str,
    file: str,
    span: Span,
    *,
    key: str | None = None,
    fix: Fix | None = None,
    severity: Severity = Severity.error,
) -> Diagnostic:
    """A diagnostic whose place is already known."""
    return Diagnostic(code=code, severity=severity, message=message, key=key, file=file, span=span, fix=fix)


def nearest(name: str, names: list[str]) -> str | None:
    """The closest of ``names``, None where nothing is close."""
    from difflib import get_close_matches

    lowered = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower().replace("-", "_"), list(lowered), 1, 0.6)
    return lowered[close[0]] if close else None
