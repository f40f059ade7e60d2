"""The wiring of the language server: which request is answered by which function."""

from __future__ import annotations

import asyncio
import logging

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from servespec._version import __version__
from servespec.lsp.actions import actions
from servespec.lsp.completion import complete
from servespec.lsp.document import Document, is_spec, read
from servespec.lsp.hover import hover
from servespec.lsp.positions import column
from servespec.lsp.wire import to_lsp

PAUSE_SECONDS = 0.15
"""A check waits this long for the next key press, so that typing is not held up."""


class Server(LanguageServer):
    """The open documents, each as it was checked last."""

    def __init__(self) -> None:
        """Start with nothing open."""
        super().__init__("servespec", __version__)
        self.documents: dict[str, Document] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}

    def examine(self, uri: str) -> None:
        """Check the text as it is now and tell the editor; what is no spec has no findings."""
        self.forget_waiting(uri)
        text = self.workspace.get_text_document(uri)
        path = to_fs_path(uri) or text.path or uri
        if not is_spec(text.source, path):
            self.documents.pop(uri, None)
            self._publish(uri, [], text.version)
            return
        document = read(text.source, path)
        self.documents[uri] = document
        own = document.loaded.path
        found = [to_lsp(document.lines, d) for d in document.report.diagnostics if (d.file or own) == own]
        self._publish(uri, found, text.version)

    def _publish(self, uri: str, found: list[types.Diagnostic], version: int | None) -> None:
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    async def examine_soon(self, uri: str) -> None:
        """Check once typing pauses."""
        self.forget_waiting(uri)

        async def later() -> None:
            await asyncio.sleep(PAUSE_SECONDS)
            self.waiting.pop(uri, None)
            self.examine(uri)

        self.waiting[uri] = asyncio.create_task(later())

    def forget_waiting(self, uri: str) -> None:
        """Take back the check that waits for a pause."""
        task = self.waiting.pop(uri, None)
        if task is not None:
            task.cancel()

    def current(self, uri: str) -> Document | None:
        """The document with the text of this moment; None for what is no spec."""
        text = self.workspace.get_text_document(uri).source
        known = self.documents.get(uri)
        if known is None or known.text != text:
            self.examine(uri)
        return self.documents.get(uri)


def build() -> Server:
    """The server with all that it answers."""
    logging.getLogger("pygls").setLevel(logging.ERROR)
    server = Server()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.examine(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        await server.examine_soon(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.examine(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.documents.pop(uri, None)
        server.forget_waiting(uri)
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hovered(params: types.HoverParams) -> types.Hover | None:
        document = server.current(params.text_document.uri)
        if document is None or params.position.line >= len(document.lines):
            return None
        place = column(document.lines[params.position.line], params.position.character)
        text = hover(document, params.position.line, place)
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text)) if text else None

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[":", " "]))
    def completed(params: types.CompletionParams) -> types.CompletionList:
        text = server.workspace.get_text_document(params.text_document.uri)
        lines = text.source.splitlines() or [""]
        if not is_spec(text.source, text.path or ""):
            return types.CompletionList(is_incomplete=False, items=[])
        line = params.position.line
        place = column(lines[line], params.position.character) if line < len(lines) else 0
        return types.CompletionList(is_incomplete=False, items=complete(lines, line, place))

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix]),
    )
    def offered(params: types.CodeActionParams) -> list[types.CodeAction]:
        document = server.current(params.text_document.uri)
        return [] if document is None else actions(document, params.text_document.uri, params.range)

    return server
