"""The structured suite: each answer is held to what was asked, and each engine is asked by its own parameters."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from openai_server import Handler

import servespec
from servespec.engines import engine_names, get_engine
from servespec.errors import UsageError
from servespec.smoke import structured
from servespec.smoke.probe import Outcome, Probe, Server
from servespec.smoke.run_probes import run_probes, suite_of

TEXT = {
    "regex": "2024-01-31",
    "choice": "Rome",
    "json schema": '{"city": "Rome", "is_capital": true}',
    "grammar": "SELECT name FROM cities",
}
Answer = Callable[[dict[str, Any]], dict[str, Any]]
Ask = Callable[[Answer], Server]


@pytest.fixture
def answering() -> Iterator[Ask]:
    """A server (a test double) that gives what a function makes of the request's body."""
    opened: list[ThreadingHTTPServer] = []

    def make(answer: Answer) -> Server:
        def do_post(handler: Handler) -> None:
            body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
            handler.answer(200, answer(body))

        double = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Handler,), {"do_POST": do_post}))
        threading.Thread(target=double.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        opened.append(double)
        url = f"http://127.0.0.1:{double.server_port}"
        return Server(url=url, model="tiny", max_model_len=512, timeout_seconds=5)

    yield make
    for double in opened:
        double.shutdown()
        double.server_close()


def chat(*texts: str, **message: object) -> dict[str, Any]:
    choices = [
        {"index": n, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}
        for n, text in enumerate(texts)
    ]
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "tiny", "choices": choices}


def outcome(run: Callable[[Server], Any], server: Server) -> Outcome:
    (result,) = run_probes((Probe(name="one", description="", run=run),), server)
    return result.evidence.outcome


def resolved(engine: str, version: str, args: dict[str, object], folder: Path) -> Any:
    path = folder / "spec.yaml"
    spec = {
        "servespec": "v1",
        "name": "x",
        "model": {"id": "meta-llama/Llama-3.1-8B-Instruct"},
        "hardware": {"gpu": "H100-80GB"},
        "targets": {engine: {"version": version, "args": args}},
    }
    path.write_text(json.dumps(spec))
    loaded = servespec.load(path)
    assert loaded.spec is not None, loaded.diagnostics
    return servespec.resolve(loaded.spec, engine, folder)


@pytest.mark.parametrize("name", TEXT)
def test_an_answer_that_keeps_to_it_passes_and_any_other_fails(name: str, answering: Ask) -> None:
    body = {"mine": name}
    good = answering(lambda asked: chat(TEXT[name] if asked["mine"] == name else ""))
    assert outcome(structured.held(name, body), good) is Outcome.passed
    for text in ("", "Rome, of course", TEXT[name] + " x", *(t for n, t in TEXT.items() if n != name)):
        bad = answering(lambda asked, text=text: chat(text))  # type: ignore[misc]
        assert outcome(structured.held(name, body), bad) is Outcome.failed, text


def test_parallel_sampling_wants_as_many_answers_as_were_asked_for(answering: Ask) -> None:
    several = answering(lambda asked: chat(*["a"] * asked["n"]))
    assert outcome(structured.parallel_sampling, several) is Outcome.passed
    assert outcome(structured.parallel_sampling, answering(lambda asked: chat("a"))) is Outcome.failed


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("capital", TEXT["json schema"], Outcome.passed),
        ("capital", "{}", Outcome.failed),
        ("another", TEXT["json schema"], Outcome.failed),
        (None, "", Outcome.failed),
    ],
)
def test_a_tool_is_called_by_its_name_with_arguments_of_its_schema(
    name: str | None, arguments: str, wanted: Outcome, answering: Ask
) -> None:
    call = {"id": "0", "type": "function", "function": {"name": name, "arguments": arguments}}
    server = answering(lambda asked: chat("", tool_calls=[call] if name else None))
    assert outcome(structured.tool_call(), server) is wanted


@pytest.mark.parametrize(
    ("vector", "wanted"),
    [([0.1, 0.2], Outcome.passed), ([0.1], Outcome.failed), ([0, 0], Outcome.failed), (None, Outcome.failed)],
)
def test_a_vector_has_as_many_numbers_as_the_model_is_wide(
    vector: object, wanted: Outcome, answering: Ask
) -> None:
    server = answering(lambda asked: {"data": [{"embedding": vector}]})
    assert outcome(structured.embeddings(2), server) is wanted


@pytest.mark.parametrize(
    ("told", "wanted"),
    [((0, 384), Outcome.passed), ((0, 0), Outcome.failed), ((None, None), Outcome.skipped)],
)
def test_a_prompt_asked_twice_is_the_same_and_has_to_come_from_the_cache(
    told: tuple[int | None, ...], wanted: Outcome
) -> None:
    prompts: list[list[int]] = []

    def ask(server: Server, prompt: list[int]) -> int | None:
        prompts.append(prompt)
        return told[len(prompts) - 1]

    server = Server(url="http://127.0.0.1:9", model="tiny", max_model_len=512)
    assert outcome(structured.prefix_reuse(ask, 1000), server) is wanted
    assert prompts[0] == prompts[1]
    assert 256 < len(prompts[0]) < 512


@pytest.mark.parametrize(
    ("version", "key"),
    [("0.10.2", "guided_regex"), ("0.11.0", "structured_outputs"), ("0.32.0", "structured_outputs")],
)
def test_vllm_is_asked_by_the_parameters_of_its_version(
    version: str, key: str, answering: Ask, tmp_path: Path
) -> None:
    bodies: list[dict[str, Any]] = []
    server = answering(lambda asked: bodies.append(asked) or chat(TEXT["regex"]))  # type: ignore[func-returns-value]
    probes = {
        p.name: p for p in get_engine("vllm").structured_probes(resolved("vllm", version, {}, tmp_path))
    }
    assert outcome(probes["regex"].run, server) is Outcome.passed
    wanted = {"regex": structured.REGEX} if key == "structured_outputs" else structured.REGEX
    assert bodies[0][key] == wanted


@pytest.mark.parametrize(
    ("engine", "args", "name", "says"),
    [
        ("vllm", {"enable_prefix_caching": False}, "prefix reuse", "prefix caching is off"),
        ("vllm", {"runner": "pooling"}, "regex", "pooling"),
        ("sglang", {}, "tool calls", "--tool-call-parser"),
        ("sglang", {}, "choice", "no choice"),
        ("sglang", {"disable_radix_cache": True}, "prefix reuse", "--disable-radix-cache"),
        ("sglang", {"grammar_backend": "none"}, "grammar", "--grammar-backend none"),
        ("sglang", {"is_embedding": True}, "json schema", "--is-embedding"),
        ("tgi", {"disable_grammar_support": True}, "regex", "--disable-grammar-support"),
        ("tgi", {}, "grammar", "no context-free grammar"),
    ],
)
def test_what_a_server_was_not_started_for_is_skipped_with_the_reason(
    engine: str, args: dict[str, object], name: str, says: str, tmp_path: Path
) -> None:
    deployment = resolved(engine, get_engine(engine).newest_version(), args, tmp_path)
    probe = next(p for p in get_engine(engine).structured_probes(deployment) if p.name == name)
    evidence = probe.run(Server(url="http://127.0.0.1:9", model="x", max_model_len=512))
    assert evidence.outcome is Outcome.skipped
    assert says in evidence.message


@pytest.mark.parametrize("engine", engine_names())
def test_every_engine_answers_for_every_probe_of_the_suite(engine: str, tmp_path: Path) -> None:
    deployment = resolved(engine, get_engine(engine).newest_version(), {}, tmp_path)
    names = [probe.name for probe in suite_of("structured", deployment, "/health")]
    assert names == list(structured.DESCRIPTIONS)


def test_a_suite_that_there_is_not_is_refused_by_name(tmp_path: Path) -> None:
    deployment = resolved("vllm", "0.32.0", {}, tmp_path)
    with pytest.raises(UsageError, match="no suite 'all'; there are basic, structured"):
        suite_of("all", deployment, "/health")
