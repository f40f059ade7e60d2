"""TGI's own probes, and what a running TGI says of its limits.

By TGI's ``openapi.json`` of 3.3: /generate and /generate_stream beside the OpenAI endpoints, errors with an
``error_type``, and 422 for what its validation refuses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from servespec.deployment import Deployment
from servespec.engines.observed import Observed
from servespec.engines.tgi.lower import lower
from servespec.smoke.client import ProbeFailed, client, excerpt, expect_status, json_of
from servespec.smoke.probe import Evidence, Probe, Server
from servespec.smoke.probes import (
    ANSWER_TOKENS,
    QUESTION,
    SCHEMA,
    STRUCTURED_TOKENS,
    longer_than,
    matches_schema,
    metrics,
    passed,
    skipped,
)

METRICS = ("tgi_queue_size", "tgi_batch_current_size", "tgi_batch_current_max_tokens")


def probes(deployment: Deployment) -> Sequence[Probe]:
    """/info, /generate, /generate_stream, a grammar, the refusal of an over-long request, and metrics."""
    wanted = deployment.spec.smoke
    launch = lower(deployment)
    names = (launch.model, *(inside for _, inside in launch.mounts))
    chosen = [
        Probe(name="model", description="/info names the model", run=partial(_model, names)),
        Probe(name="generate", description="POST /generate gives text", run=_generate),
    ]
    if wanted.streaming:
        chosen.append(
            Probe(name="generate_stream", description="POST /generate_stream streams tokens", run=_stream)
        )
    if wanted.structured_output:
        chosen.append(Probe(name="structured output", description="a JSON grammar is kept", run=_grammar))
    if wanted.over_long_is_refused:
        chosen.append(
            Probe(
                name="over-long request",
                description="a prompt longer than max_input_tokens is refused with 422",
                run=_over_long,
            )
        )
    return (*chosen, metrics(METRICS))


def _model(names: tuple[str, ...], server: Server) -> Evidence:
    """TGI knows no served name: it tells the model that it was given, a folder as it sees it (in a container)."""
    model = _info(server).get("model_id")
    if model not in names:
        raise ProbeFailed(f"/info names {model}, {' or '.join(names)} was expected")
    return passed(f"serves {model}")


def _generate(server: Server) -> Evidence:
    body = {"inputs": QUESTION, "parameters": {"max_new_tokens": ANSWER_TOKENS, "details": True}}
    with client(server) as http:
        response = http.post("/generate", json=body)
        expect_status(response, 200)
    answer = json_of(response)
    details = answer.get("details")
    tokens = details.get("generated_tokens") if isinstance(details, dict) else None
    return passed(f"{tokens} tokens: {excerpt(str(answer.get('generated_text')))!r}")


def _stream(server: Server) -> Evidence:
    body = {"inputs": QUESTION, "parameters": {"max_new_tokens": ANSWER_TOKENS}}
    tokens = 0
    last: dict[str, object] = {}
    with client(server) as http, http.stream("POST", "/generate_stream", json=body) as response:
        if response.status_code != 200:
            response.read()
        expect_status(response, 200)
        for line in response.iter_lines():
            if line.startswith("data:"):
                last = json.loads(line.removeprefix("data:"))
                tokens += "token" in last
    if tokens < 1 or last.get("generated_text") is None:
        raise ProbeFailed(f"the stream ended after {tokens} tokens without the generated text")
    return passed(f"{tokens} tokens")


def _grammar(server: Server) -> Evidence:
    grammar = {"type": "json", "value": SCHEMA}
    body = {"inputs": QUESTION, "parameters": {"max_new_tokens": STRUCTURED_TOKENS, "grammar": grammar}}
    with client(server) as http:
        response = http.post("/generate", json=body)
        expect_status(response, 200)
    return passed(matches_schema(str(json_of(response).get("generated_text"))))


def _over_long(server: Server) -> Evidence:
    limit = _info(server).get("max_input_tokens")
    if not isinstance(limit, int):
        return skipped("/info does not say max_input_tokens")
    with client(server) as http:
        body = {"inputs": longer_than(limit), "parameters": {"max_new_tokens": 1}}
        response = http.post("/generate", json=body)
        expect_status(response, 422)
    answer = json_of(response)
    if answer.get("error_type") != "validation":
        raise ProbeFailed(f"refused, but error_type is {answer.get('error_type')!r}, not 'validation'")
    return passed(f"refused with 422: {excerpt(str(answer.get('error')))}")


def observe_server(server: Server) -> Observed:
    """What /info says: the longest request. Blocks and tokens are in the log alone. Raises ProbeFailed."""
    info = _info(server)
    longest = info.get("max_total_tokens")
    version = info.get("version")
    return Observed(
        engine="tgi",
        version=version if isinstance(version, str) else None,
        max_model_len=longest if isinstance(longest, int) else None,
        ready=True,
    )


def _info(server: Server) -> dict[str, object]:
    with client(server) as http:
        response = http.get("/info")
        expect_status(response, 200)
    return json_of(response)
