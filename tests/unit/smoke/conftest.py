"""A test double of an OpenAI-compatible server, well or with one thing broken."""

import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from servespec.smoke.probe import Server

sys.path.insert(0, str(Path(__file__).parents[2] / "doubles"))
from openai_server import MAX_MODEL_LEN, Handler

ServerMaker = Callable[[str], Server]


@pytest.fixture
def serve() -> Iterator[ServerMaker]:
    opened: list[ThreadingHTTPServer] = []

    def make(broken: str = "") -> Server:
        handler = type("BrokenHandler", (Handler,), {"broken": broken})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        opened.append(server)
        return Server(
            url=f"http://127.0.0.1:{server.server_port}",
            model="tiny",
            max_model_len=MAX_MODEL_LEN,
            timeout_seconds=5,
        )

    yield make
    for server in opened:
        server.shutdown()
        server.server_close()
