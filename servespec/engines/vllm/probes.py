"""vLLM's own probes, and what a running vLLM says of its memory."""

from __future__ import annotations

from collections.abc import Sequence

from servespec.deployment import Deployment
from servespec.engines.observed import Observed
from servespec.smoke.probe import Probe, Server
from servespec.smoke.probes import metric_samples, metrics, over_long

METRICS = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:cache_config_info")
_CACHE_CONFIG = "vllm:cache_config"
"""``prometheus_client`` takes the suffix ``_info`` off some families; both names are looked for."""


def probes(deployment: Deployment) -> Sequence[Probe]:
    """The refusal of an over-long request (400, ``entrypoints/openai``), and vLLM's metrics."""
    refusal = (over_long(400),) if deployment.spec.smoke.over_long_is_refused else ()
    return (*refusal, metrics(METRICS))


def observe_server(server: Server) -> Observed:
    """The cache configuration that /metrics shows.

    ``kv_cache_size_tokens`` and ``kv_cache_max_concurrency`` are there in recent versions alone; before them
    the tokens are blocks × block size, which holds for models with one KV group. With data parallel there is
    a sample an engine: the smallest counts. Raises ProbeFailed.
    """
    samples = [
        labels for name, labels, _ in metric_samples(server) if name.removesuffix("_info") == _CACHE_CONFIG
    ]
    engines = [_of_one_engine(labels) for labels in samples]
    return min(engines, key=lambda seen: seen.kv_tokens or 0, default=Observed(engine="vllm"))


def _of_one_engine(labels: dict[str, str]) -> Observed:
    blocks = _integer(labels.get("num_gpu_blocks"))
    size = _integer(labels.get("block_size"))
    tokens = _integer(labels.get("kv_cache_size_tokens"))
    concurrency = labels.get("kv_cache_max_concurrency")
    return Observed(
        engine="vllm",
        num_blocks=blocks,
        block_size=size,
        kv_tokens=tokens if tokens is not None else blocks * size if blocks and size else None,
        kv_cache_bytes=_integer(labels.get("kv_cache_memory_bytes")),
        max_concurrency=None if concurrency in (None, "None") else float(concurrency),
        ready=True,
    )


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
