"""Whether a server is up: its port, its health endpoint, and its first answer."""

from __future__ import annotations

import socket

from servespec.engines.launch import Launch
from servespec.errors import MissingExtraError

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104 (nothing is bound here)
HEALTH_SECONDS = 5.0
FIRST_ANSWER_SECONDS = 120.0
FIRST_PROMPT = "Say hello to everybody who waits for this server to be ready."
"""More than a few tokens: vLLM 0.32.0's attention for AMX processors ends with an illegal instruction when the
very first prompt that it sees has four tokens (a longer one sets the tiles up, and then any length works)."""


def reachable_url(launch: Launch) -> str:
    """The server's URL from this host: a server that binds every address is asked on the loopback one."""
    return f"http://{_EVERY_ADDRESS.get(launch.host, launch.host)}:{launch.port}"


def is_port_taken(launch: Launch) -> bool:
    """Whether something listens already where the server is going to."""
    host = _EVERY_ADDRESS.get(launch.host, launch.host).strip("[]")
    try:
        with socket.create_connection((host, launch.port), timeout=1):
            return True
    except OSError:
        return False


def answers(url: str, health_path: str, model: str, api_key: str | None) -> bool:
    """Whether the server is healthy and its model has answered one token.

    A refusal (4xx) counts as an answer: a model that does not generate text is up all the same.
    """
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise MissingExtraError("httpx", "run") from error
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=HEALTH_SECONDS) as client:
            if client.get(health_path).status_code != httpx.codes.OK:
                return False
            question = {"model": model, "prompt": FIRST_PROMPT, "max_tokens": 1}
            answer = client.post("/v1/completions", json=question, timeout=FIRST_ANSWER_SECONDS)
            return not answer.is_server_error
    except httpx.HTTPError:
        return False
