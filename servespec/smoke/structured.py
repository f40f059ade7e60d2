"""Probes of constrained generation and of what serving many depends on: grammars, prefix reuse, sampling, tools, vectors.

Each engine's ``structured`` module says by which of its own parameters it is asked, and what it cannot.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from servespec.bench.plan import Plan, prompts
from servespec.smoke.client import ProbeFailed, client, excerpt, expect_status, json_of
from servespec.smoke.probe import Evidence, Probe, Server
from servespec.smoke.probes import (
    ANSWER_TOKENS,
    QUESTION,
    SCHEMA,
    STRUCTURED_TOKENS,
    chat,
    choice_text,
    matches_schema,
    openai_client,
    passed,
    skipped,
)

REGEX = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
CHOICES = ("Paris", "London", "Rome")
GRAMMAR = 'root ::= "SELECT " column " FROM cities"\ncolumn ::= "name" | "country"\n'
"""EBNF as llama.cpp writes it, which XGrammar and llguidance read; finite, so that any model comes to its end."""
GRAMMAR_REGEX = "SELECT (name|country) FROM cities"
LONGEST_PROMPT = 1024
"""Tokens: some blocks of any engine, and quickly read."""
SAMPLES = 2

DESCRIPTIONS: Mapping[str, str] = {
    "regex": "an answer held to a regular expression matches it",
    "choice": "an answer held to a choice is one of it",
    "json schema": "an answer held to a JSON schema keeps it",
    "grammar": "an answer held to a context-free grammar is one of its sentences",
    "prefix reuse": "a prompt that is asked again comes from the prefix cache",
    "parallel sampling": f"n={SAMPLES} gives {SAMPLES} answers to one prompt",
    "tool calls": "a call of a named tool has arguments that its schema accepts",
    "embeddings": "/v1/embeddings gives a vector",
}
"""The suite, in its order."""

GENERATING = tuple(name for name in DESCRIPTIONS if name != "embeddings")
Check = Callable[[str], str]
Ask = Callable[[Server, list[int]], "int | None"]


def suite(runs: Mapping[str, Callable[[Server], Evidence] | str]) -> tuple[Probe, ...]:
    """All probes of the suite: by name a call, or the reason why this server is not asked. Raises KeyError for a gap."""
    return tuple(
        Probe(
            name=name,
            description=description,
            run=partial(_not_asked, found) if isinstance(found := runs[name], str) else found,
        )
        for name, description in DESCRIPTIONS.items()
    )


def not_generating(reason: str) -> dict[str, str]:
    """The reason for every probe that needs a server that generates."""
    return dict.fromkeys(GENERATING, reason)


def _not_asked(reason: str, server: Server) -> Evidence:
    return skipped(reason)


def is_one_of_choices(text: str) -> str:
    """The text where it is one of ``CHOICES``, else ProbeFailed."""
    if text not in CHOICES:
        raise ProbeFailed(f"{excerpt(text)!r} is none of {', '.join(CHOICES)}")
    return excerpt(text)


def matches(pattern: str) -> Check:
    """A check that the whole text matches; ProbeFailed where it does not."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ProbeFailed(f"{excerpt(text)!r} does not match {pattern}")
        return excerpt(text)

    return check


CHECKS: Mapping[str, Check] = {
    "regex": matches(REGEX),
    "choice": is_one_of_choices,
    "json schema": matches_schema,
    "grammar": matches(GRAMMAR_REGEX),
}


def held(name: str, body: Mapping[str, Any]) -> Callable[[Server], Evidence]:
    """A chat completion with these parameters beside the usual ones; its text has to pass the probe's check."""
    return partial(_held, CHECKS[name], body)


def _held(check: Check, body: Mapping[str, Any], server: Server) -> Evidence:
    with openai_client(server) as api:
        answer = chat(api, server, QUESTION, max_tokens=STRUCTURED_TOKENS, extra_body=dict(body))
    return passed(check(choice_text(answer.choices[0])))


def parallel_sampling(server: Server) -> Evidence:
    """One prompt, two answers."""
    with openai_client(server) as api:
        answer = chat(api, server, QUESTION, max_tokens=ANSWER_TOKENS, n=SAMPLES, temperature=1)
    indexes = sorted(choice.index for choice in answer.choices)
    if indexes != list(range(SAMPLES)):
        raise ProbeFailed(f"{SAMPLES} answers were asked for, those of index {indexes} came")
    differ = len({choice_text(choice) for choice in answer.choices}) > 1
    return passed(f"{SAMPLES} answers{', not the same' if differ else ', the same'}")


def tool_call(schema_key: str = "parameters") -> Callable[[Server], Evidence]:
    """A call of the one tool, by its name: constrained decoding gives arguments whatever the model is worth.

    ``schema_key`` is what the engine calls the schema of a function.
    """
    return partial(_tool_call, schema_key)


def _tool_call(schema_key: str, server: Server) -> Evidence:
    import openai

    function = {"name": "capital", schema_key: SCHEMA, "strict": True}
    asked: dict[str, Any] = {
        "messages": [{"role": "user", "content": QUESTION}],
        "tools": [{"type": "function", "function": function}],
        "parallel_tool_calls": False,  # a random model would never end its list of calls
        "tool_choice": {"type": "function", "function": {"name": "capital"}},
    }
    with openai_client(server) as api:
        try:
            answer = api.chat.completions.create(
                model=server.model, max_tokens=STRUCTURED_TOKENS, temperature=0, **asked
            )
        except openai.BadRequestError as error:
            reason = str(error).lower()
            if "chat template" not in reason and "--tool-call-parser" not in reason:
                raise
            told = error.body.get("message") if isinstance(error.body, dict) else error
            return skipped(f"the server has no tools: {excerpt(str(told))}")
    calls = answer.choices[0].message.tool_calls or []
    if not calls:
        raise ProbeFailed(f"no tool was called: {excerpt(str(answer.choices[0].message.content))!r}")
    called: Any = getattr(calls[0], "function", None)
    if called is None or called.name != "capital":
        raise ProbeFailed(f"{getattr(function, 'name', None)} was called, not capital")
    given = called.arguments
    return passed(f"capital({matches_schema(given if isinstance(given, str) else json.dumps(given))})")


def embeddings(dimensions: int) -> Callable[[Server], Evidence]:
    """A vector as long as the model is wide, of finite numbers that are not all zero."""
    return partial(_embeddings, dimensions)


def _embeddings(dimensions: int, server: Server) -> Evidence:
    body = {"model": server.model, "input": [QUESTION], "encoding_format": "float"}
    with client(server) as http:
        response = http.post("/v1/embeddings", json=body)
        expect_status(response, 200)
    data = json_of(response).get("data")
    vector = data[0].get("embedding") if isinstance(data, list) and data else None
    if not isinstance(vector, list) or not all(isinstance(x, int | float) for x in vector):
        raise ProbeFailed(f"no vector came back: {excerpt(response.text)}")
    if len(vector) != dimensions or not all(map(math.isfinite, vector)) or not any(vector):
        raise ProbeFailed(f"a vector of {dimensions} finite numbers was expected, {len(vector)} came")
    return passed(f"{len(vector)} dimensions, length {math.hypot(*vector):.3f}")


def prefix_reuse(ask: Ask, vocabulary: int) -> Callable[[Server], Evidence]:
    """One prompt twice. ``ask`` sends token ids and says how many of them came from the cache, None where unsaid."""
    return partial(_prefix_reuse, ask, vocabulary)


def _prefix_reuse(ask: Ask, vocabulary: int, server: Server) -> Evidence:
    length = min(LONGEST_PROMPT, (server.max_model_len or LONGEST_PROMPT) - ANSWER_TOKENS)
    plan = Plan(requests=1, input_tokens=length, output_tokens=1, concurrency=1, vocabulary=vocabulary)
    prompt = next(prompts(plan))
    first, again = ask(server, prompt), ask(server, prompt)
    if first is None or again is None:
        return skipped("the server does not say how many tokens came from its cache")
    if again < 1:
        raise ProbeFailed(f"none of {length} tokens that were asked before came from the prefix cache")
    seen = passed(f"{again} of {length} prompt tokens came from the cache, {first} at first")
    return replace(
        seen, details={"prompt_tokens": length, "cached_tokens": again, "cached_tokens_at_first": first}
    )


def value_of(flags: Sequence[object], name: str) -> str | None:
    """What follows a flag on a command line; None where it is not there."""
    words = [word if isinstance(word, str) else "" for word in flags]
    return words[words.index(name) + 1] if name in words[:-1] else None
