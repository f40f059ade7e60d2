"""How vLLM is asked for structured output.

``structured_outputs`` since 0.11.0 (entrypoints/openai/protocol.py), ``guided_*`` before; an option of the request
either way. Whether a call of a named tool needs --enable-auto-tool-choice and --tool-call-parser the server
itself says: 0.32.0 makes no parser without both (parser/parser_manager.py) and refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from servespec.deployment import Deployment
from servespec.engines.vllm.lower import lower
from servespec.rules.versions import version_key
from servespec.smoke import structured as suite
from servespec.smoke.client import client, expect_status, json_of
from servespec.smoke.probe import Probe, Server
from servespec.smoke.probes import SCHEMA, metric_samples

_HITS = ("vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits")
"""Tokens found in the prefix cache; the second name until 0.9 (v1/metrics/loggers.py)."""
_POOLING = (("--runner", ("pooling",)), ("--task", ("embed", "embedding")))


def probes(deployment: Deployment) -> Sequence[Probe]:
    """The suite, as this version is asked; what the server was not started for gives its reason."""
    flags = lower(deployment).flags
    if any(suite.value_of(flags, name) in values for name, values in _POOLING):
        reason = "the server was started for pooling, it does not generate"
        vector = suite.embeddings(deployment.model.hidden_size)
        return suite.suite({**suite.not_generating(reason), "embeddings": vector})
    held = {
        name: suite.held(name, _parameters(deployment.version, kind, value))
        for name, kind, value in (
            ("regex", "regex", suite.REGEX),
            ("choice", "choice", list(suite.CHOICES)),
            ("json schema", "json", SCHEMA),
            ("grammar", "grammar", suite.GRAMMAR),
        )
    }
    caching = deployment.settings.value("enable_prefix_caching") is not False
    return suite.suite(
        {
            **held,
            "prefix reuse": suite.prefix_reuse(cached_tokens, deployment.model.vocab_size)
            if caching
            else "prefix caching is off",
            "parallel sampling": suite.parallel_sampling,
            "tool calls": suite.tool_call(),
            "embeddings": "the server generates: --runner pooling starts one that embeds",
        }
    )


def _parameters(version: str, kind: str, value: object) -> Mapping[str, Any]:
    if version_key(version) >= version_key("0.11.0"):
        return {"structured_outputs": {kind: value}}
    return {f"guided_{kind}": value}


def cached_tokens(server: Server, prompt: list[int]) -> int | None:
    """Tokens of the prompt that came from the cache, by the usage where it tells, else by the counter of /metrics."""
    before = _hits(server)
    with client(server) as http:
        body = {"model": server.model, "prompt": prompt, "max_tokens": 1, "temperature": 0}
        response = http.post("/v1/completions", json=body)
        expect_status(response, 200)
    usage = json_of(response).get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    told = details.get("cached_tokens") if isinstance(details, dict) else None
    if isinstance(told, int):
        return told
    after = _hits(server)
    return None if before is None or after is None else round(after - before)


def _hits(server: Server) -> float | None:
    found = [value for name, _, value in metric_samples(server) if name in _HITS]
    return sum(found) if found else None
