"""The HTTP side of the test double of TGI: answers without a model, each of them held to ``openapi.json``.

A token is a word. An answer that the contract does not allow is a 500 with a message that says so, and so the
test that asked fails.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

import jsonschema
from http_contract import Contract

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]
A_DATE = "2000-01-01"
"""The answer to a regular expression: the only one that is asked is a date's."""
METRICS = ("tgi_queue_size", "tgi_batch_current_size", "tgi_batch_current_max_tokens")


@dataclass(frozen=True)
class Limits:
    """What the launcher was told, or chose."""

    model_id: str
    max_input_tokens: int
    max_total_tokens: int
    max_concurrent_requests: int
    max_best_of: int
    max_stop_sequences: int
    max_client_batch_size: int
    validation_workers: int


class ValidationError(Exception):
    """A request that TGI's validation refuses; 422."""


class Handler(BaseHTTPRequestHandler):
    """One connection. ``contract`` and ``limits`` are set on the class."""

    contract: Contract
    limits: Limits
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        return

    def do_GET(self) -> None:
        limits = self.limits
        model = {"id": limits.model_id, "object": "model", "created": 0, "owned_by": limits.model_id}
        info = {
            "model_id": limits.model_id,
            "model_sha": None,
            "model_pipeline_tag": None,
            "max_concurrent_requests": limits.max_concurrent_requests,
            "max_best_of": limits.max_best_of,
            "max_stop_sequences": limits.max_stop_sequences,
            "max_input_tokens": limits.max_input_tokens,
            "max_total_tokens": limits.max_total_tokens,
            "validation_workers": limits.validation_workers,
            "max_client_batch_size": limits.max_client_batch_size,
            "router": "text-generation-router",
            "version": "0.0.0-test-double",
            "sha": None,
            "docker_label": None,
        }
        gauges = "".join(f"# TYPE {name} gauge\n{name} 0\n" for name in METRICS)
        answers: dict[str, Any] = {"/health": "", "/info": info, "/v1/models": model, "/metrics": gauges}
        if self.path not in answers:
            self.send_error(404)
            return
        self.answer(200, answers[self.path])

    def do_POST(self) -> None:
        if ("POST", self.path) not in self.contract.operations():
            self.send_error(404)
            return
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
            self.contract.check_request("POST", self.path, body)
            handlers = {
                "/": self.generate,
                "/generate": self.generate,
                "/generate_stream": self.generate_stream,
                "/v1/chat/completions": self.chat,
                "/v1/completions": self.completion,
                "/tokenize": self.tokenize,
            }
            handlers[self.path](body)
        except (ValueError, jsonschema.ValidationError) as error:
            self.refuse(
                f"Failed to deserialize the JSON body into the target type: {str(error).splitlines()[0]}"
            )
        except ValidationError as error:
            self.refuse(f"Input validation error: {error}")
        except KeyError:
            self.send_error(501, "the test double does not have this")

    def refuse(self, message: str) -> None:
        self.answer(422, {"error": message, "error_type": "validation"})

    def generate(self, body: dict[str, Any]) -> None:
        parameters = body.get("parameters") or {}
        words = self.words(body["inputs"], parameters.get("max_new_tokens"))
        text = " ".join(words)
        grammar = parameters.get("grammar")
        if grammar is not None:
            text = A_DATE if grammar["type"] == "regex" else json.dumps(smallest(grammar["value"]))
        answer: dict[str, Any] = {"generated_text": text}
        if parameters.get("details"):
            tokens = [self.token(number, word) for number, word in enumerate(words)]
            answer["details"] = {
                "finish_reason": "length",
                "generated_tokens": len(words),
                "seed": None,
                "prefill": [],
                "tokens": tokens,
            }
            others = (parameters.get("best_of") or 1) - 1
            sequence = {**answer["details"], "generated_text": text}
            answer["details"]["best_of_sequences"] = [sequence] * others or None
        self.answer(200, [answer] if self.path == "/" else answer)

    def generate_stream(self, body: dict[str, Any]) -> None:
        words = self.words(body["inputs"], (body.get("parameters") or {}).get("max_new_tokens"))
        parts = []
        for number, word in enumerate(words):
            last = number == len(words) - 1
            details = {
                "finish_reason": "length",
                "generated_tokens": len(words),
                "seed": None,
                "input_length": 1,
            }
            parts.append(
                {
                    "index": number + 1,
                    "token": self.token(number, word),
                    "generated_text": " ".join(words) if last else None,
                    "details": details if last else None,
                }
            )
        self.stream(parts, done=False)

    def chat(self, body: dict[str, Any]) -> None:
        prompt = " ".join(str(message.get("content")) for message in body["messages"])
        words = self.words(prompt, body.get("max_tokens"))
        common = {
            "id": "",
            "created": int(time.time()),
            "model": self.limits.model_id,
            "system_fingerprint": "double",
        }
        if body.get("stream"):
            parts: list[dict[str, Any]] = []
            for number, word in enumerate(words):
                last = number == len(words) - 1
                delta = {"role": "assistant", "content": word}
                choice = {
                    "index": 0,
                    "delta": delta,
                    "logprobs": None,
                    "finish_reason": "length" if last else None,
                }
                parts.append(
                    {**common, "object": "chat.completion.chunk", "choices": [choice], "usage": None}
                )
            self.stream(parts, done=True)
            return
        message: dict[str, Any] = {"role": "assistant", "content": " ".join(words)}
        if isinstance(body.get("tool_choice"), dict):
            name = body["tool_choice"]["function"]["name"]
            (tool,) = (tool["function"] for tool in body["tools"] if tool["function"]["name"] == name)
            called = {"name": name, "arguments": json.dumps(smallest(tool["arguments"]))}
            call = {"id": "0", "type": "function", "function": called}
            message = {"role": "assistant", "tool_calls": [call]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}
        usage = self.usage(prompt, words)
        self.answer(200, {**common, "object": "chat.completion", "choices": [choice], "usage": usage})

    def completion(self, body: dict[str, Any]) -> None:
        prompt = body["prompt"] if isinstance(body["prompt"], str) else " ".join(body["prompt"])
        words = self.words(prompt, body.get("max_tokens"))
        choice = {"index": 0, "text": " ".join(words), "logprobs": None, "finish_reason": "length"}
        self.answer(
            200,
            {
                "id": "",
                "object": "text_completion",
                "created": int(time.time()),
                "model": self.limits.model_id,
                "system_fingerprint": "double",
                "choices": [choice],
                "usage": self.usage(prompt, words),
            },
        )

    def tokenize(self, body: dict[str, Any]) -> None:
        tokens = []
        for number, word in enumerate(body["inputs"].split()):
            start = body["inputs"].index(word)
            tokens.append({"id": number, "text": word, "start": start, "stop": start + len(word)})
        self.answer(200, tokens)

    def words(self, prompt: str, asked: int | None) -> list[str]:
        """The words to answer; TGI's own sentences for what it refuses (router/src/validation.rs)."""
        limits, given = self.limits, len(prompt.split())
        if given == 0:
            raise ValidationError("`inputs` cannot be empty")
        if given > limits.max_input_tokens:
            raise ValidationError(
                f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {given}"
            )
        wanted = asked if asked is not None else min(20, limits.max_total_tokens - given)
        if wanted <= 0:
            raise ValidationError("`max_new_tokens` must be strictly positive")
        if given + wanted > limits.max_total_tokens:
            raise ValidationError(
                f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
                f"Given: {given} `inputs` tokens and {wanted} `max_new_tokens`"
            )
        return [WORDS[number % len(WORDS)] for number in range(wanted)]

    @staticmethod
    def token(number: int, word: str) -> dict[str, Any]:
        return {"id": number, "text": word, "logprob": -1.0, "special": False}

    @staticmethod
    def usage(prompt: str, words: list[str]) -> dict[str, int]:
        given = len(prompt.split())
        return {"prompt_tokens": given, "completion_tokens": len(words), "total_tokens": given + len(words)}

    def answer(self, status: int, content: Any) -> None:
        try:
            media = "text/plain" if isinstance(content, str) else "application/json"
            self.contract.check_answer(self.command, self.path, status, content, media)
        except (AssertionError, jsonschema.ValidationError) as error:
            status, content = 500, f"the test double broke TGI's contract: {error}"
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, parts: list[dict[str, Any]], *, done: bool) -> None:
        try:
            for part in parts:
                self.contract.check_answer("POST", self.path, 200, part, "text/event-stream")
        except (AssertionError, jsonschema.ValidationError) as error:
            self.answer(500, f"the test double broke TGI's contract: {error}")
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(f"data:{json.dumps(part)}\n\n".encode())
        if done:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


def smallest(schema: dict[str, Any]) -> Any:
    """A value that a closed schema of objects, enumerations and booleans accepts."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: smallest(schema["properties"][name]) for name in schema["required"]}
    return {"boolean": True, "string": "", "integer": 0, "number": 0, "array": []}[schema["type"]]
