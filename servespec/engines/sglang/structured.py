"""How SGLang is asked for structured output.

``regex`` and ``ebnf`` are parameters of a request beside ``response_format`` (entrypoints/openai/protocol.py); it has
none for a choice: ``select`` of its frontend language compares log-probabilities on the client's side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servespec.deployment import Deployment
from servespec.engines.sglang.lower import lower
from servespec.smoke import structured as suite
from servespec.smoke.client import client, expect_status, json_of
from servespec.smoke.probe import Probe, Server
from servespec.smoke.probes import SCHEMA

_NO_GRAMMAR = "--grammar-backend none: the server holds no answer to a grammar"


def probes(deployment: Deployment) -> Sequence[Probe]:
    """The suite, as SGLang is asked; what the server was not started for gives its reason."""
    flags = lower(deployment).flags
    if "--is-embedding" in flags:
        reason = "the server was started with --is-embedding, it does not generate"
        vector = suite.embeddings(deployment.model.hidden_size)
        return suite.suite({**suite.not_generating(reason), "embeddings": vector})
    has_grammar = suite.value_of(flags, "--grammar-backend") != "none"
    wanted = {"name": "capital", "schema": SCHEMA, "strict": True}
    bodies: dict[str, dict[str, Any]] = {
        "regex": {"regex": suite.REGEX},
        "json schema": {"response_format": {"type": "json_schema", "json_schema": wanted}},
        "grammar": {"ebnf": suite.GRAMMAR},
    }
    return suite.suite(
        {
            **{name: suite.held(name, body) if has_grammar else _NO_GRAMMAR for name, body in bodies.items()},
            "choice": "SGLang's server has no choice: its frontend's select compares, a regex constrains",
            "prefix reuse": "--disable-radix-cache: nothing is kept"
            if "--disable-radix-cache" in flags
            else suite.prefix_reuse(cached_tokens, deployment.model.vocab_size),
            "parallel sampling": suite.parallel_sampling,
            "tool calls": suite.tool_call()
            if suite.value_of(flags, "--tool-call-parser")
            else "SGLang calls tools where --tool-call-parser is given, it is not",
            "embeddings": "the server generates: --is-embedding starts one that embeds",
        }
    )


def cached_tokens(server: Server, prompt: list[int]) -> int | None:
    """Tokens of the prompt that came from the radix cache; /generate always tells, the OpenAI usage does not."""
    body = {"input_ids": prompt, "sampling_params": {"max_new_tokens": 1, "temperature": 0}}
    with client(server) as http:
        response = http.post("/generate", json=body)
        expect_status(response, 200)
    meta = json_of(response).get("meta_info")
    cached = meta.get("cached_tokens") if isinstance(meta, dict) else None
    return cached if isinstance(cached, int) else None
