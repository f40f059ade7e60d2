"""Probes of an OpenAI-compatible server: each fails for its own reason and for no other."""

from collections.abc import Callable

import pytest

from servespec.engines.vllm.probes import METRICS, observe_server
from servespec.smoke import probes
from servespec.smoke.probe import Outcome, Server
from servespec.smoke.run_probes import run_probes

ServerMaker = Callable[[str], Server]

ALL = (
    probes.health("/health"),
    probes.model_name(),
    probes.completion(("The capital of France is", "Hello")),
    probes.streaming(),
    probes.structured_output(),
    probes.over_long(400),
    probes.metrics(METRICS[:1]),
)


def outcomes(server: Server) -> dict[str, Outcome]:
    return {result.probe.name: result.evidence.outcome for result in run_probes(ALL, server)}


def test_a_server_that_is_well_passes_every_probe(serve: ServerMaker) -> None:
    assert set(outcomes(serve("")).values()) == {Outcome.passed}


def test_a_base_model_without_a_chat_template_is_asked_for_plain_completions(serve: ServerMaker) -> None:
    assert set(outcomes(serve("chat template")).values()) == {Outcome.passed}


@pytest.mark.parametrize(
    ("broken", "probe"),
    [
        ("model", "model"),
        ("completion", "completion"),
        ("structured", "structured output"),
        ("over-long", "over-long request"),
        ("metrics", "metrics"),
        ("streaming", "streaming"),
    ],
)
def test_what_is_broken_fails_its_own_probe_alone(serve: ServerMaker, broken: str, probe: str) -> None:
    found = outcomes(serve(broken))
    assert [name for name, outcome in found.items() if outcome is not Outcome.passed] == [probe]


def test_a_server_that_is_not_there_fails_with_a_sentence() -> None:
    nowhere = Server(url="http://127.0.0.1:9", model="tiny", max_model_len=8, timeout_seconds=2)
    for result in run_probes(ALL, nowhere):
        assert result.evidence.outcome is Outcome.failed
        assert result.evidence.message


def test_the_length_of_a_refused_prompt_needs_a_known_context(serve: ServerMaker) -> None:
    server = serve("")
    unknown = Server(url=server.url, model="tiny", max_model_len=None)
    (result,) = run_probes([probes.over_long(400)], unknown)
    assert result.evidence.outcome is Outcome.skipped


def test_a_missing_metric_is_named(serve: ServerMaker) -> None:
    (result,) = run_probes([probes.metrics(["vllm:no_such_metric"])], serve(""))
    assert "vllm:no_such_metric" in result.evidence.message


def test_vllm_shows_its_kv_cache_in_its_metrics(serve: ServerMaker) -> None:
    seen = observe_server(serve(""))
    assert (seen.num_blocks, seen.block_size, seen.kv_tokens) == (16384, 128, 2097152)
    assert (seen.kv_cache_bytes, seen.max_concurrency) == (1 << 30, 4096.0)


def test_the_api_key_is_sent_and_never_shown(serve: ServerMaker) -> None:
    server = Server(
        url="http://127.0.0.1:9", model="tiny", max_model_len=8, api_key="s3cret", timeout_seconds=2
    )
    assert "s3cret" not in repr(server)
    assert all("s3cret" not in result.evidence.message for result in run_probes(ALL, server))
