"""A finding as the protocol writes it."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from servespec.diagnostics import Diagnostic, Severity
from servespec.lsp.positions import range_of

_SEVERITY = {
    Severity.error: types.DiagnosticSeverity.Error,
    Severity.warning: types.DiagnosticSeverity.Warning,
    Severity.info: types.DiagnosticSeverity.Information,
}


def to_lsp(lines: Sequence[str], diagnostic: Diagnostic) -> types.Diagnostic:
    """The diagnostic with the editor's own positions and a link to the rule's page."""
    engine = f" [{diagnostic.engine}]" if diagnostic.engine else ""
    return types.Diagnostic(
        range=range_of(lines, diagnostic.span),
        message=f"{diagnostic.message}{engine}",
        severity=_SEVERITY[diagnostic.severity],
        code=diagnostic.code,
        code_description=types.CodeDescription(href=diagnostic.url),
        source="servespec",
    )
