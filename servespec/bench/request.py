"""One request, timed: a streamed completion with an exact number of tokens."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

    from servespec.smoke.probe import Server

EXCERPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one request took. Times in seconds; ``gaps`` lie between one chunk and the next.

    ``cached_tokens`` is what the server says it took from the prefix cache, None where it does not say.
    """

    ok: bool
    started: float
    ended: float
    first_token: float | None = None
    gaps: tuple[float, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
    error: str = ""

    @property
    def seconds(self) -> float:
        """From sending to the last token."""
        return self.ended - self.started

    @property
    def time_to_first_token(self) -> float | None:
        """From sending to the first token."""
        return None if self.first_token is None else self.first_token - self.started


async def complete(
    session: aiohttp.ClientSession, server: Server, prompt: list[int], output_tokens: int
) -> Timing:
    """Send one prompt of token ids to ``/v1/completions`` and follow the stream to its end. Raises nothing."""
    import aiohttp

    body = {
        "model": server.model,
        "prompt": prompt,
        "max_tokens": output_tokens,
        "temperature": 0.0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    started = time.perf_counter()
    first: float | None = None
    last = started
    gaps: list[float] = []
    usage: dict[str, object] = {}
    try:
        async with session.post(f"{server.url}/v1/completions", json=body) as response:
            if response.status != 200:
                text = (await response.text())[:EXCERPT]
                return _failed(started, f"{response.status}: {text}")
            async for event in _events(response):
                now = time.perf_counter()
                if event.get("error"):
                    return _failed(started, str(event["error"])[:EXCERPT])
                if event.get("choices"):
                    if first is None:
                        first = now
                    else:
                        gaps.append(now - last)
                    last = now
                if isinstance(event.get("usage"), dict):
                    usage = event["usage"]  # type: ignore[assignment]
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return _failed(started, f"{type(error).__name__}: {error}"[:EXCERPT])
    if first is None:
        return _failed(started, "the stream ended without a token")
    produced = usage.get("completion_tokens")
    return Timing(
        ok=True,
        started=started,
        ended=last,
        first_token=first,
        gaps=tuple(gaps),
        input_tokens=_integer(usage.get("prompt_tokens"), len(prompt)),
        output_tokens=_integer(produced, len(gaps) + 1),
        cached_tokens=_cached(usage),
    )


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, object]]:
    async for line in response.content:
        if not line.startswith(b"data:"):
            continue
        payload = line[5:].strip()
        if payload == b"[DONE]":
            return
        event = json.loads(payload)
        if isinstance(event, dict):
            yield event


def _failed(started: float, reason: str) -> Timing:
    """``reason`` becomes one line: what answers may be a page of HTML."""
    return Timing(ok=False, started=started, ended=time.perf_counter(), error=" ".join(reason.split()))


def _integer(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _cached(usage: dict[str, object]) -> int | None:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return cached if isinstance(cached, int) else None
