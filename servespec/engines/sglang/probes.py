"""SGLang's own probes, and what a running SGLang says of its memory."""

from __future__ import annotations

from collections.abc import Sequence

from servespec.deployment import Deployment
from servespec.engines.observed import Observed
from servespec.engines.sglang.lower import lower
from servespec.smoke.client import client, expect_status, json_of
from servespec.smoke.probe import Evidence, Probe, Server
from servespec.smoke.probes import ANSWER_TOKENS, QUESTION, metrics, over_long, passed, skipped

METRICS = ("sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:token_usage")
_GIB = 1 << 30
_HALF_OF_LAST_DIGIT_BYTES = 0.0005 * _GIB


def probes(deployment: Deployment) -> Sequence[Probe]:
    """The native /generate, the refusal of an over-long request (400), and metrics where they are enabled."""
    refusal = (over_long(400),) if deployment.spec.smoke.over_long_is_refused else ()
    watched = metrics(METRICS)
    if "--enable-metrics" not in lower(deployment).flags:
        watched = Probe(name=watched.name, description=watched.description, run=_without_metrics)
    native = Probe(name="generate", description="POST /generate gives text", run=_generate)
    return (native, *refusal, watched)


def _without_metrics(server: Server) -> Evidence:
    return skipped("--enable-metrics is not given, and without it SGLang has no /metrics")


def _generate(server: Server) -> Evidence:
    body = {"text": QUESTION, "sampling_params": {"max_new_tokens": ANSWER_TOKENS, "temperature": 0}}
    with client(server) as http:
        response = http.post("/generate", json=body)
        expect_status(response, 200)
    meta = json_of(response).get("meta_info")
    tokens = meta.get("completion_tokens") if isinstance(meta, dict) else None
    return passed(f"{tokens} tokens")


def observe_server(server: Server) -> Observed:
    """What /server_info says of each scheduler; the one with the fewest tokens counts.

    ``memory_usage`` is in GiB: ``kvcache`` with three decimals, ``token_capacity`` exact. Raises ProbeFailed.
    """
    with client(server) as http:
        response = http.get("/server_info")
        if response.status_code == 404:  # its name before 0.5
            response = http.get("/get_server_info")
        expect_status(response, 200)
    states = json_of(response).get("internal_states")
    seen = (
        [_of_one_scheduler(state) for state in states if isinstance(state, dict)]
        if isinstance(states, list)
        else []
    )
    return min(seen, key=lambda one: one.kv_tokens or 0, default=Observed(engine="sglang"))


def _of_one_scheduler(state: dict[str, object]) -> Observed:
    usage = state.get("memory_usage")
    figures = usage if isinstance(usage, dict) else {}
    tokens = figures.get("token_capacity", state.get("max_total_num_tokens"))
    pool = figures.get("kvcache")
    return Observed(
        engine="sglang",
        kv_tokens=tokens if isinstance(tokens, int) else None,
        kv_cache_bytes=round(pool * _GIB) if isinstance(pool, float) else None,
        ready=True,
        precision={"kv_cache_bytes": _HALF_OF_LAST_DIGIT_BYTES},
    )
