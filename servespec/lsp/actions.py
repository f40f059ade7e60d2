"""Fixes of findings as code actions, and the comment that ignores one with a reason."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol.types import (
    CodeAction,
    CodeActionKind,
    Position,
    Range,
    TextEdit,
    WorkspaceEdit,
)

from servespec.control.fixes import edits_for
from servespec.diagnostics import Diagnostic
from servespec.lsp.document import Document
from servespec.lsp.positions import range_of, units
from servespec.lsp.wire import to_lsp


def actions(document: Document, uri: str, asked: Range) -> list[CodeAction]:
    """What can be done about the findings whose lines the range touches."""
    found: list[CodeAction] = []
    for diagnostic in document.report.diagnostics:
        if (diagnostic.file or document.loaded.path) != document.loaded.path:
            continue
        place = range_of(document.lines, diagnostic.span)
        if place.start.line > asked.end.line or place.end.line < asked.start.line:
            continue
        found.extend(_of(document, uri, diagnostic))
    return found


def _of(document: Document, uri: str, diagnostic: Diagnostic) -> Iterator[CodeAction]:
    edits = edits_for(diagnostic, document.loaded, unsafe=True)
    if edits and diagnostic.fix is not None:
        yield CodeAction(
            title=f"{diagnostic.code}: {diagnostic.fix.message}",
            kind=CodeActionKind.QuickFix,
            diagnostics=[to_lsp(document.lines, diagnostic)],
            edit=WorkspaceEdit(
                changes={uri: [TextEdit(range_of(document.lines, edit.span), edit.text) for edit in edits]}
            ),
            is_preferred=all(edit.safe for edit in edits),
        )
    if diagnostic.span is None or diagnostic.code.startswith("SV0"):
        return
    line = diagnostic.span.line - 1
    text = document.lines[line] if line < len(document.lines) else ""
    if "#" in text:
        return
    end = Position(line, units(text))
    comment = f"  # servespec: ignore[{diagnostic.code}] say why"
    yield CodeAction(
        title=f"{diagnostic.code}: ignore on this line",
        kind=CodeActionKind.QuickFix,
        diagnostics=[to_lsp(document.lines, diagnostic)],
        edit=WorkspaceEdit(changes={uri: [TextEdit(Range(end, end), comment)]}),
    )
