"""The digest of an image, asked of a registry: a double that holds to the distribution specification."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from servespec.errors import SourceError
from servespec.lock.registry import digest_of, parts_of

DIGEST = f"sha256:{'a' * 64}"


class Registry(BaseHTTPRequestHandler):
    """A test double of a registry that gives anonymous tokens, and of its token service."""

    scheme = "Bearer"

    def log_message(self, *arguments: object) -> None:
        return

    def do_HEAD(self) -> None:
        host = self.headers["host"]
        if self.headers.get("authorization") != "Bearer secret":
            self.send_response(401)
            challenge = f'realm="http://{host}/token",service="double",scope="repository:owner/name:pull"'
            self.send_header("www-authenticate", f"{self.scheme} {challenge}")
        elif self.path == "/v2/owner/name/manifests/v1" and "image.index" in self.headers["accept"]:
            self.send_response(200)
            self.send_header("docker-content-digest", DIGEST)
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        is_asked = self.path == "/token?service=double&scope=repository%3Aowner%2Fname%3Apull"
        self.send_response(200 if is_asked else 400)
        self.end_headers()
        self.wfile.write(json.dumps({"token": "secret"}).encode())


@pytest.fixture
def registry() -> Iterator[tuple[str, type[Registry]]]:
    handler = type("Handler", (Registry,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", handler
        server.shutdown()


def test_the_registry_tells_the_digest_of_a_tag(registry: tuple[str, type[Registry]]) -> None:
    assert digest_of(f"{registry[0]}/owner/name:v1") == DIGEST


def test_a_tag_that_is_not_there_is_said_to_be_missing(registry: tuple[str, type[Registry]]) -> None:
    with pytest.raises(SourceError, match=r"tells no digest of .*/owner/name:v2: it answers with 404"):
        digest_of(f"{registry[0]}/owner/name:v2")


def test_a_registry_that_wants_a_login_is_said_to(registry: tuple[str, type[Registry]]) -> None:
    host, handler = registry
    handler.scheme = "Basic"
    with pytest.raises(SourceError, match="kind of authentication"):
        digest_of(f"{host}/owner/name:v1")


def test_a_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceError, match=r"the registry of 127\.0\.0\.1:1/a/b:c does not answer"):
        digest_of("127.0.0.1:1/a/b:c")


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("vllm/vllm-openai:v0.25.1", ("registry-1.docker.io", "vllm/vllm-openai", "v0.25.1")),
        ("ghcr.io/huggingface/text-generation-inference:3.3.7", ("ghcr.io", "huggingface/text-generation-inference", "3.3.7")),
        ("python", ("registry-1.docker.io", "library/python", "latest")),
        ("localhost:5000/a:b", ("localhost:5000", "a", "b")),
    ],
)  # fmt: skip
def test_a_reference_is_taken_apart_as_docker_does(image: str, parts: tuple[str, str, str]) -> None:
    assert parts_of(image) == parts
