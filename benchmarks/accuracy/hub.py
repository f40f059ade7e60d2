"""A stand-in for the Hugging Face Hub on the loopback, for rivals that ask the Hub what a model is.

It answers what their clients ask: ``/api/models/{id}`` (with ``/revision/{rev}`` and ``/tree/{rev}``) and
``/{id}/resolve/{rev}/{file}`` by HEAD and GET with ranges. Weights are announced with their size and never sent.
Under ``/unquantized`` it shows each model as it was before quantization.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from benchmarks.accuracy.checkpoints import Repository

UNQUANTIZED = "/unquantized"
COMMIT = "0" * 39 + "1"
Source = Callable[[str, bool], Repository]


class Hub:
    """Repositories by id, each made when it is first asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = Lock()
        self._files = cache(self._make_files)
        self._info = cache(self._make_info)

    def files(self, id: str, quantized: bool) -> dict[str, tuple[bytes, int]]:
        """Name → (the bytes that can be read, the size that is announced). Raises KeyError."""
        with self._lock:
            return self._files(id, quantized)

    def info(self, id: str, quantized: bool) -> dict[str, Any]:
        """The answer of ``/api/models/{id}``. Raises KeyError."""
        with self._lock:
            return self._info(id, quantized)

    def _make_files(self, id: str, quantized: bool) -> dict[str, tuple[bytes, int]]:
        repository = self._source(id, quantized)
        header = repository.header()
        size = len(header) + sum(tensor.bytes for tensor in repository.tensors)
        found = {
            "config.json": json.dumps(repository.config).encode(),
            "model.safetensors.index.json": repository.index(),
        }
        if repository.hf_quant_config is not None:
            found["hf_quant_config.json"] = json.dumps(repository.hf_quant_config).encode()
        return {name: (text, len(text)) for name, text in found.items()} | {repository.SHARD: (header, size)}

    def _make_info(self, id: str, quantized: bool) -> dict[str, Any]:
        repository = self._source(id, quantized)
        parameters = repository.parameters()
        siblings: list[dict[str, Any]] = []
        for name, (content, size) in self._files(id, quantized).items():
            sibling: dict[str, Any] = {"rfilename": name, "size": size, "blobId": _git_blob(content)}
            if name == repository.SHARD:
                sibling["lfs"] = {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": size,
                    "pointerSize": 135,
                }
            siblings.append(sibling)
        return {
            "_id": "0" * 24,
            "id": id,
            "modelId": id,
            "sha": COMMIT,
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": ["safetensors"],
            "downloads": 0,
            "likes": 0,
            "config": {key: repository.config.get(key) for key in ("architectures", "model_type")},
            "safetensors": {"parameters": parameters, "total": sum(parameters.values())},
            "siblings": siblings,
        }


def _git_blob(content: bytes) -> str:
    """A file's id in git, which the Hub calls ``blobId`` and sends as ETag."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


API = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)(?:/(?P<what>revision|tree)/(?P<revision>[^/]+))?")
FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/[^/]+/(?P<file>.+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@contextmanager
def serve(hub: Hub) -> Iterator[str]:
    """Listen on a free loopback port while the block runs; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self, *, body: bool) -> None:
            path = self.path.split("?")[0]
            quantized = not path.startswith(UNQUANTIZED + "/")
            path = path if quantized else path.removeprefix(UNQUANTIZED)
            try:
                self._answer(path, quantized, body)
            except KeyError:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)

        def _answer(self, path: str, quantized: bool, body: bool) -> None:
            if api := API.fullmatch(path):
                info = hub.info(api["id"], quantized)
                if api["what"] == "tree":
                    rows = [
                        {"type": "file", "path": row["rfilename"], "size": row["size"], "oid": row["blobId"]}
                        for row in info["siblings"]
                    ]
                    self._send(200, json.dumps(rows).encode(), {}, body)
                else:
                    self._send(200, json.dumps(info).encode(), {}, body)
                return
            file = FILE.fullmatch(path)
            if file is None:
                self._send(404, b"{}", {}, body)
                return
            found = hub.files(file["id"], quantized).get(file["file"])
            if found is None:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, body)
                return
            content, size = found
            headers = {"ETag": f'"{_git_blob(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            asked = RANGE.fullmatch(self.headers.get("Range", ""))
            if asked is None or not body:
                self._send(200, content, headers, body, announced=size if not body else None)
                return
            first, last = int(asked[1]), int(asked[2] or size - 1)
            part = content[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{size}"
            self._send(206, part, headers, body)

        def _send(
            self,
            status: int,
            content: bytes,
            headers: dict[str, str],
            body: bool,
            announced: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(announced or len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def do_HEAD(self) -> None:
            self._respond(body=False)

        def do_GET(self) -> None:
            self._respond(body=True)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
