"""A loopback double of the Hugging Face Hub's file endpoint, as far as huggingface_hub asks for it.

The contract is huggingface_hub's own client: HEAD and GET of ``/{repo}/resolve/{revision}/{file}`` with ``ETag``,
``X-Repo-Commit`` and ``Content-Length``; errors by ``X-Error-Code`` (RepoNotFound, RevisionNotFound, EntryNotFound,
GatedRepo). The tests drive it through that client, so an answer that the client would not take fails them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class HubDouble:
    """Repositories by id: commit → file → content; ``gated`` ids refuse."""

    repositories: Mapping[str, Mapping[str, Mapping[str, bytes]]]
    branches: Mapping[str, str] = field(default_factory=dict)
    gated: frozenset[str] = frozenset()
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        self.requests.append(path)
        match = re.fullmatch(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)", path)
        if match is None or match["repo"] not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b""
        if match["repo"] in self.gated:
            return 403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}, b""
        commits = self.repositories[match["repo"]]
        commit = self.branches.get(match["revision"], match["revision"])
        if commit not in commits:
            return 404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"}, b""
        if match["file"] not in commits[commit]:
            return (
                404,
                {
                    "X-Error-Code": "EntryNotFound",
                    "X-Error-Message": "Entry not found",
                    "X-Repo-Commit": commit,
                },
                b"",
            )
        content = commits[commit][match["file"]]
        etag = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": commit}, content


@contextmanager
def serve(double: HubDouble) -> Iterator[HubDouble]:
    """Listen on a free loopback port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self, *, body: bool) -> None:
            status, headers, content = double.answer(self.path.split("?")[0])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
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
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
