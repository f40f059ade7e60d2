"""HTTP to a server under test: one client, no proxies, and sentences for what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from servespec.errors import MissingExtraError
from servespec.smoke.probe import Server

if TYPE_CHECKING:
    import httpx

EXCERPT_CHARACTERS = 300


class ProbeFailed(Exception):
    """The answer is not what was asked for; the message says what was seen."""


@contextmanager
def client(server: Server) -> Iterator[httpx.Client]:
    """A client of the server. Transport errors leave it as ProbeFailed.

    Raises:
        MissingExtraError: httpx is not installed.
    """
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise MissingExtraError("httpx", "smoke") from error
    headers = {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    try:
        with httpx.Client(
            base_url=server.url, headers=headers, timeout=server.timeout_seconds, trust_env=False
        ) as opened:
            yield opened
    except httpx.TimeoutException as error:
        raise ProbeFailed(f"no answer within {server.timeout_seconds:.0f} s") from error
    except httpx.HTTPError as error:
        raise ProbeFailed(f"no answer: {error}") from error


def expect_status(response: httpx.Response, *wanted: int) -> None:
    """Raise ProbeFailed unless the status is one of those wanted."""
    if response.status_code not in wanted:
        expected = " or ".join(str(status) for status in wanted)
        raise ProbeFailed(
            f"{response.request.method} {response.request.url.path} gave {response.status_code}, "
            f"{expected} was expected: {refusal_text(response)}"
        )


def json_of(response: httpx.Response) -> dict[str, object]:
    """The body as a JSON object, else ProbeFailed."""
    try:
        body = response.json()
    except ValueError as error:
        raise ProbeFailed(f"not JSON: {excerpt(response.text)}") from error
    if not isinstance(body, dict):
        raise ProbeFailed(f"not a JSON object: {excerpt(response.text)}")
    return body


def refusal_text(response: httpx.Response) -> str:
    """The message of an error in any of the forms that engines use, else the body, on one line."""
    try:
        body = response.json()
    except ValueError:
        return excerpt(response.text)
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    return excerpt(str(message))


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARACTERS else line[:EXCERPT_CHARACTERS] + "…"
