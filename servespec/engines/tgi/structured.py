"""How TGI is asked for structured output: ``grammar`` of /generate, a regex or a JSON schema (``openapi.json`` of 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from servespec.deployment import Deployment
from servespec.engines.tgi.lower import lower
from servespec.smoke import structured as suite
from servespec.smoke.client import ProbeFailed, client, excerpt, expect_status, json_of
from servespec.smoke.probe import Evidence, Probe, Server
from servespec.smoke.probes import ANSWER_TOKENS, QUESTION, SCHEMA, STRUCTURED_TOKENS, passed

_NO_GRAMMAR = "--disable-grammar-support: the server holds no answer to a grammar"


def probes(deployment: Deployment) -> Sequence[Probe]:
    """The suite, as TGI is asked; what it has no request for gives its reason."""
    has_grammar = "--disable-grammar-support" not in lower(deployment).flags
    held: dict[str, Callable[[Server], Evidence]] = {
        "regex": partial(_held, "regex", {"type": "regex", "value": suite.REGEX}),
        "json schema": partial(_held, "json schema", {"type": "json", "value": SCHEMA}),
        "tool calls": suite.tool_call("arguments"),
    }
    return suite.suite(
        {
            **{name: run if has_grammar else _NO_GRAMMAR for name, run in held.items()},
            "choice": "TGI has no choice: a regex with alternatives says the same",
            "grammar": "TGI takes a regex or a JSON schema, no context-free grammar",
            "prefix reuse": "TGI does not say how many tokens came from its cache",
            "parallel sampling": _best_of,
            "embeddings": "TGI generates text and does not embed",
        }
    )


def _held(name: str, grammar: dict[str, object], server: Server) -> Evidence:
    body = {"inputs": QUESTION, "parameters": {"max_new_tokens": STRUCTURED_TOKENS, "grammar": grammar}}
    with client(server) as http:
        response = http.post("/generate", json=body)
        expect_status(response, 200)
    return passed(suite.CHECKS[name](str(json_of(response).get("generated_text"))))


def _best_of(server: Server) -> Evidence:
    """``n`` of the chat endpoint is not heeded; ``best_of`` samples and tells the others in ``details``."""
    parameters = {
        "max_new_tokens": ANSWER_TOKENS,
        "best_of": suite.SAMPLES,
        "do_sample": True,
        "details": True,
    }
    with client(server) as http:
        response = http.post("/generate", json={"inputs": QUESTION, "parameters": parameters})
        expect_status(response, 200)
    details = json_of(response).get("details")
    others = details.get("best_of_sequences") if isinstance(details, dict) else None
    if not isinstance(others, list) or len(others) != suite.SAMPLES - 1:
        raise ProbeFailed(f"best_of={suite.SAMPLES} gave no other sequence: {excerpt(response.text)}")
    return passed(f"the better of {suite.SAMPLES} samples, and the other")
