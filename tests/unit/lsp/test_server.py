"""The language server, asked by a real client over standard input and output."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

pytest.importorskip("pygls")

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.uris import from_fs_path

SPEC = """\
servespec: v1
name: typed
model:
  id: Qwen/Qwen3-8B
hardware:
  gpu: H100-80GB
limits:
  max_model_len: 131072
  max_batched_tokens: 128   # 𝔘𝔫𝔦𝔠𝔬𝔡𝔢
  max_concurrent_requests: 256
targets:
  vllm:
    version: 0.32.0
    args:
      max_num_sequences: 4
"""


class Editor:
    """What an editor does: opens, types, asks, and keeps the findings that it is told."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client = client
        self.uri = from_fs_path(str(folder / "typed.servespec.yaml")) or ""
        self.version = 0
        self.told: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()

    async def open(self, text: str) -> list[types.Diagnostic]:
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(self.uri, "yaml", 0, text))
        )
        return list((await asyncio.wait_for(self.told.get(), 60)).diagnostics)

    async def type(self, text: str) -> list[types.Diagnostic]:
        self.version += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=self.uri, version=self.version),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )
        return list((await asyncio.wait_for(self.told.get(), 60)).diagnostics)

    async def hover(self, line: int, character: int) -> str:
        found = await self.client.text_document_hover_async(
            types.HoverParams(types.TextDocumentIdentifier(self.uri), types.Position(line, character))
        )
        assert found is None or isinstance(found.contents, types.MarkupContent)
        return found.contents.value if found is not None else ""

    async def complete(self, line: int, character: int) -> dict[str, types.CompletionItem]:
        found = await self.client.text_document_completion_async(
            types.CompletionParams(types.TextDocumentIdentifier(self.uri), types.Position(line, character))
        )
        assert isinstance(found, types.CompletionList)
        return {item.label: item for item in found.items}

    async def actions(self, line: int) -> list[types.CodeAction]:
        place = types.Range(types.Position(line, 0), types.Position(line, 0))
        found = await self.client.text_document_code_action_async(
            types.CodeActionParams(types.TextDocumentIdentifier(self.uri), place, types.CodeActionContext([]))
        )
        return [action for action in found or [] if isinstance(action, types.CodeAction)]


def in_editor(folder: Path, scene: Callable[[Editor], Awaitable[None]]) -> None:
    """Play a scene with a server of its own."""

    async def play() -> None:
        client = LanguageClient("test-editor", "1")
        editor = Editor(client, folder)

        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def told(params: types.PublishDiagnosticsParams) -> None:
            editor.told.put_nowait(params)

        await client.start_io(sys.executable, "-m", "servespec", "lsp")
        try:
            answer = await asyncio.wait_for(
                client.initialize_async(
                    types.InitializeParams(types.ClientCapabilities(), root_uri=from_fs_path(str(folder)))
                ),
                60,
            )
            assert answer.capabilities.hover_provider
            client.initialized(types.InitializedParams())
            await scene(editor)
            await asyncio.wait_for(client.shutdown_async(None), 30)
            client.exit(None)
        finally:
            await client.stop()

    asyncio.run(play())


def apply(text: str, edits: list[types.TextEdit]) -> str:
    """A text after a code action, with the editor's own positions."""
    lines = [line.encode("utf-16-le") for line in text.splitlines(keepends=True)]
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        first, last = edit.range.start, edit.range.end
        head = lines[first.line][: 2 * first.character] if first.line < len(lines) else b""
        tail = lines[last.line][2 * last.character :] if last.line < len(lines) else b""
        lines[first.line : last.line + 1] = [head + edit.new_text.encode("utf-16-le") + tail]
    return b"".join(lines).decode("utf-16-le")


def message(method: str, number: int | None = None, **params: object) -> bytes:
    body = {"jsonrpc": "2.0", "method": method, "params": params or None}
    data = json.dumps(body | ({} if number is None else {"id": number})).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)


def test_the_server_ends_cleanly_when_the_editor_says_so() -> None:
    said = (
        message("initialize", 1, capabilities={}, processId=None, rootUri=None)
        + message("initialized")
        + message("shutdown", 2)
        + message("exit")
    )
    done = subprocess.run(
        [sys.executable, "-m", "servespec", "lsp"], input=said, capture_output=True, timeout=60, check=False
    )
    assert b'"id":2' in done.stdout.replace(b" ", b"")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_key_s_unit_is_told_once(tmp_path: Path) -> None:
    async def scene(editor: Editor) -> None:
        await editor.open(SPEC)
        told = await editor.hover(7, 4)
        assert told.count("(tokens)") == 1

    in_editor(tmp_path, scene)


def test_findings_stand_where_they_are_and_go_when_the_text_is_mended(tmp_path: Path) -> None:
    async def scene(editor: Editor) -> None:
        found = {d.code: d for d in await editor.open(SPEC)}
        assert {"SV201", "SV221", "SV222"} <= found.keys()
        flag = found["SV201"]
        assert flag.severity is types.DiagnosticSeverity.Error
        assert (flag.range.start.line, flag.range.start.character) == (14, 6)
        assert flag.range.end.character == 6 + len("max_num_sequences")
        assert flag.code_description and flag.code_description.href.endswith("SV201")
        mended = (
            SPEC.replace("131072", "8192")
            .replace("      max_num_sequences: 4\n", "")
            .replace("    args:\n", "")
        )
        codes = {d.code for d in await editor.type(mended)}
        assert not {"SV201", "SV222"} & codes

    in_editor(tmp_path, scene)


def test_text_that_is_no_yaml_yet_is_a_finding_and_no_end_of_the_server(tmp_path: Path) -> None:
    async def scene(editor: Editor) -> None:
        await editor.open(SPEC)
        for broken in (
            SPEC + "  : [",
            "servespec: v1\n\tname: x\n",
            "servespec:",
            "servespec: v1\nmodel: {id: \n",
        ):
            assert any(d.severity is types.DiagnosticSeverity.Error for d in await editor.type(broken))
        assert {d.code for d in await editor.type(SPEC)} >= {"SV222"}

    in_editor(tmp_path, scene)


def test_hover_explains_a_key_shows_what_it_comes_to_and_the_memory(tmp_path: Path) -> None:
    async def scene(editor: Editor) -> None:
        await editor.open(SPEC.replace("131072", "8192"))
        text = await editor.hover(7, 6)
        assert "**limits.max_model_len**" in text and "(tokens)" in text
        assert "`max_model_len` = `8192` (spec)" in text
        assert "KV cache" in text and "weights" in text
        assert "**--max-num" not in text
        assert await editor.hover(1, 50) != ""
        flag = await editor.hover(14, 10)
        assert "vllm 0.32.0 has no flag `max_num_sequences`" in flag

    in_editor(tmp_path, scene)


def test_completion_offers_keys_flags_of_the_version_and_values(tmp_path: Path) -> None:
    async def scene(editor: Editor) -> None:
        text = SPEC.replace("      max_num_sequences: 4\n", "      enforce\n") + "parallel:\n  \n"
        await editor.open(text)
        keys = await editor.complete(16, 2)
        assert set(keys) == {"tensor", "pipeline", "data", "expert"}
        limits = await editor.complete(8, 2)
        assert "gpu_memory_fraction" in limits and "max_model_len" not in limits
        flags = await editor.complete(14, 13)
        assert "enforce_eager" in flags and "max_num_seqs" in flags
        assert "swap_space" not in flags, "0.32.0 has no --swap-space"
        gpus = await editor.complete(5, 7)
        assert "H200-141GB" in gpus and "local" in gpus
        assert "0.31.0" in await editor.complete(12, 13)

    in_editor(tmp_path, scene)


def test_a_code_action_mends_the_finding_and_leaves_the_comment(tmp_path: Path) -> None:
    async def scene(editor: Editor) -> None:
        await editor.open(SPEC)
        (fix,) = [a for a in await editor.actions(7) if "SV222" in a.title and "ignore" not in a.title]
        assert fix.edit and fix.edit.changes
        after = apply(SPEC, list(fix.edit.changes[editor.uri]))
        assert "max_model_len: 40960" in after and "𝔘𝔫𝔦𝔠𝔬𝔡𝔢" in after
        assert "SV222" not in {d.code for d in await editor.type(after)}
        (hide,) = [a for a in await editor.actions(14) if "SV201: ignore" in a.title]
        assert hide.edit and hide.edit.changes
        hidden = apply(after, list(hide.edit.changes[editor.uri]))
        assert "SV201" not in {d.code for d in await editor.type(hidden)}

    in_editor(tmp_path, scene)


def test_other_yaml_has_no_findings(tmp_path: Path) -> None:
    async def scene(editor: Editor) -> None:
        editor.uri = from_fs_path(str(tmp_path / "deployment.yaml")) or ""
        assert await editor.open("apiVersion: v1\nkind: Pod\n") == []
        assert await editor.complete(1, 0) == {}
        assert await editor.hover(0, 2) == ""

    in_editor(tmp_path, scene)
