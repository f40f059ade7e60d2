"""Probes that hold for every server that speaks the OpenAI API.

The completions go through the ``openai`` package, which is what users' programs call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from servespec.errors import MissingExtraError
from servespec.smoke.client import ProbeFailed, client, excerpt, expect_status, json_of, refusal_text
from servespec.smoke.probe import Evidence, Outcome, Probe, Server

if TYPE_CHECKING:
    import openai

ANSWER_TOKENS = 16
STRUCTURED_TOKENS = 256
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "London", "Rome"]}, "is_capital": {"type": "boolean"}},
    "required": ["city", "is_capital"],
    "additionalProperties": False,
}
"""Small, closed and without free text: a grammar that holds must give it whatever the model is worth."""
QUESTION = "Name a capital of Europe, as JSON."


def health(path: str) -> Probe:
    """GET on the health endpoint gives 200."""
    return Probe(name="health", description=f"GET {path} gives 200", run=partial(_health, path))


def _health(path: str, server: Server) -> Evidence:
    with client(server) as http:
        expect_status(http.get(path), 200)
    return passed(f"{path} gives 200")


def model_name() -> Probe:
    """GET /v1/models lists the name under which the model is served."""
    return Probe(name="model", description="/v1/models lists the served name", run=_model_name)


def _model_name(server: Server) -> Evidence:
    with client(server) as http:
        response = http.get("/v1/models")
        expect_status(response, 200)
    models = json_of(response).get("data")
    names = (
        [model.get("id") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    )
    if server.model not in names:
        raise ProbeFailed(f"{server.model} is not among the models served: {names}")
    return passed(f"serves {server.model}")


def completion(prompts: Iterable[str]) -> Probe:
    """A completion of each prompt has text and counts its tokens."""
    return Probe(
        name="completion",
        description="POST /v1/chat/completions completes the prompts",
        run=partial(_completion, tuple(prompts)),
    )


def _completion(prompts: tuple[str, ...], server: Server) -> Evidence:
    said: list[str] = []
    with openai_client(server) as api:
        for prompt in prompts:
            answer = chat(api, server, prompt, max_tokens=ANSWER_TOKENS)
            tokens = answer.usage.completion_tokens if answer.usage else 0
            if not answer.choices or tokens < 1:
                raise ProbeFailed(f"no token came back for {excerpt(prompt)!r}")
            said.append(f"{tokens} tokens: {excerpt(choice_text(answer.choices[0]))!r}")
    return passed("; ".join(said))


def streaming() -> Probe:
    """A streamed completion comes in parts and says why it ended."""
    return Probe(name="streaming", description="a completion streams in parts", run=_streaming)


def _streaming(server: Server) -> Evidence:
    parts = 0
    reason = None
    with (
        openai_client(server) as api,
        chat(api, server, QUESTION, max_tokens=ANSWER_TOKENS, stream=True) as stream,
    ):
        for chunk in stream:
            for choice in chunk.choices:
                parts += bool(choice_text(choice))
                reason = choice.finish_reason or reason
    if reason is None:
        raise ProbeFailed(f"the stream ended after {parts} parts without a finish_reason")
    if parts < 1:
        raise ProbeFailed("the stream carried no text")
    return passed(f"{parts} parts, ended by {reason}")


def structured_output() -> Probe:
    """A completion held to a JSON schema is JSON that the schema accepts."""
    return Probe(
        name="structured output",
        description="response_format json_schema gives JSON of that schema",
        run=_structured_output,
    )


def _structured_output(server: Server) -> Evidence:
    wanted = {"type": "json_schema", "json_schema": {"name": "capital", "schema": SCHEMA, "strict": True}}
    with openai_client(server) as api:
        body = {"response_format": wanted}
        answer = chat(api, server, QUESTION, max_tokens=STRUCTURED_TOKENS, extra_body=body)
    return passed(matches_schema(choice_text(answer.choices[0])))


def chat(api: openai.OpenAI, server: Server, prompt: str, **options: Any) -> Any:
    """A chat completion, or a plain one of a base model, which has no chat template and says so with 400."""
    import openai

    options = {"model": server.model, "temperature": 0, **options}
    try:
        return api.chat.completions.create(messages=[{"role": "user", "content": prompt}], **options)
    except openai.BadRequestError as error:
        if "chat template" not in str(error).lower():
            raise
        return api.completions.create(prompt=prompt, **options)


def choice_text(choice: Any) -> str:
    """The text of a choice: of a message, of a part of one, or plain."""
    message = getattr(choice, "message", None) or getattr(choice, "delta", None)
    return (message.content if message is not None else getattr(choice, "text", None)) or ""


def matches_schema(text: str) -> str:
    """The text on one line, where it is JSON of ``SCHEMA``, else ProbeFailed."""
    try:
        import jsonschema
    except ModuleNotFoundError as error:
        raise MissingExtraError("jsonschema", "smoke") from error
    try:
        jsonschema.validate(json.loads(text), SCHEMA)
    except ValueError as error:
        raise ProbeFailed(f"the answer is not JSON: {excerpt(text)!r}") from error
    except jsonschema.ValidationError as error:
        raise ProbeFailed(f"the schema was not kept ({error.message}): {excerpt(text)}") from error
    return excerpt(text)


def over_long(status: int) -> Probe:
    """A prompt longer than the context is refused with the engine's status."""
    return Probe(
        name="over-long request",
        description=f"a prompt longer than max_model_len is refused with {status}",
        run=partial(_over_long, status),
    )


def _over_long(status: int, server: Server) -> Evidence:
    if server.max_model_len is None:
        return skipped("max_model_len is not known")
    with client(server) as http:
        body = {"model": server.model, "prompt": longer_than(server.max_model_len), "max_tokens": 1}
        response = http.post("/v1/completions", json=body)
        expect_status(response, status)
    return passed(f"refused with {status}: {refusal_text(response)}")


def longer_than(tokens: int) -> str:
    """A prompt of more tokens than that by any tokenizer: no tokenizer merges numbers across a space."""
    return " ".join(str(number % 10) for number in range(tokens + 1))


def metrics(names: Iterable[str]) -> Probe:
    """GET /metrics is Prometheus text that has the metrics by which the server is watched."""
    return Probe(
        name="metrics",
        description="/metrics has the metrics that scaling and alerts use",
        run=partial(_metrics, tuple(names)),
    )


def _metrics(names: tuple[str, ...], server: Server) -> Evidence:
    samples = metric_samples(server)
    found = {name for name, _, _ in samples}
    missing = [name for name in names if name not in found]
    if missing:
        raise ProbeFailed(f"/metrics lacks {', '.join(missing)}")
    return passed(f"{len(found)} metrics, {', '.join(names)} among them")


def metric_samples(server: Server) -> list[tuple[str, dict[str, str], float]]:
    """All samples of /metrics, by family name, labels and value; ProbeFailed where it is not Prometheus text."""
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ModuleNotFoundError as error:
        raise MissingExtraError("prometheus_client", "smoke") from error
    with client(server) as http:
        response = http.get("/metrics")
        expect_status(response, 200)
    try:
        return [
            (family.name, dict(sample.labels), float(sample.value))
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        ]
    except ValueError as error:
        raise ProbeFailed(f"/metrics is not Prometheus text: {error}") from error


def openai_client(server: Server) -> openai.OpenAI:
    """The openai client of the server; without retries, so that a failure is seen.

    Raises:
        MissingExtraError: openai is not installed.
    """
    try:
        import openai
    except ModuleNotFoundError as error:
        raise MissingExtraError("openai", "smoke") from error
    return openai.OpenAI(
        base_url=f"{server.url}/v1",
        api_key=server.api_key or "none",
        timeout=server.timeout_seconds,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


def passed(message: str) -> Evidence:
    """Evidence that the probe holds."""
    return Evidence(outcome=Outcome.passed, message=message)


def skipped(message: str) -> Evidence:
    """Evidence of nothing: the probe does not apply here."""
    return Evidence(outcome=Outcome.skipped, message=message)
