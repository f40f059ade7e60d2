"""All requests of a plan: closed loop or open loop, after a warm-up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from servespec.bench.plan import (
    Plan,
    arrivals,
    plan_of,
    prompts,
    refuse_what_is_too_long,
    warm_up_plan,
    workload_of,
)
from servespec.bench.report import BenchReport, summarise
from servespec.bench.request import Timing, complete
from servespec.errors import MissingExtraError, StartError
from servespec.smoke.probe import Server

if TYPE_CHECKING:
    from servespec.deployment import Deployment

REQUEST_SECONDS = 600.0
Tell = Callable[[int, int, float], None]


def bench(deployment: Deployment, url: str, *, seed: int = 0, tell: Tell | None = None) -> BenchReport:
    """Drive the deployment's workload against the server at ``url`` and sum up.

    ``tell`` is called with requests done, requests in all and seconds so far. Raises StartError when the
    server refuses the warm-up, MissingExtraError without aiohttp, UsageError for a key that is not set or a workload
    that is longer than what the server takes.
    """
    from servespec.engines import get_engine
    from servespec.runtime.run import api_key_of

    refuse_what_is_too_long(deployment)
    workload, note = workload_of(deployment)
    launch = get_engine(deployment.engine).lower(deployment)
    server = Server(
        url=url.rstrip("/"),
        model=launch.served_model_name,
        max_model_len=None,
        api_key=api_key_of(deployment),
        timeout_seconds=REQUEST_SECONDS,
    )
    plan = plan_of(workload, deployment.model.vocab_size, seed, note)
    timings, seconds = run_plan(plan, server, tell)
    return summarise(deployment, server.url, plan, timings, seconds)


def run_plan(plan: Plan, server: Server, tell: Tell | None = None) -> tuple[tuple[Timing, ...], float]:
    """Warm up, send every request, and return their timings with the seconds that all took together."""
    try:
        import aiohttp  # noqa: F401 (whether it is there)
    except ModuleNotFoundError as error:
        raise MissingExtraError("aiohttp", "bench") from error
    return asyncio.run(_run(plan, server, tell))


async def _run(plan: Plan, server: Server, tell: Tell | None) -> tuple[tuple[Timing, ...], float]:
    import aiohttp

    headers = {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    timeout = aiohttp.ClientTimeout(total=server.timeout_seconds)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
        warm, _ = await _send(warm_up_plan(plan), session, server, None)
        broken = next((each for each in warm if not each.ok), None)
        if broken is not None:
            raise StartError(f"the server at {server.url} does not answer the workload: {broken.error}")
        return await _send(plan, session, server, tell)


async def _send(
    plan: Plan, session: aiohttp.ClientSession, server: Server, tell: Tell | None
) -> tuple[tuple[Timing, ...], float]:
    room = asyncio.Semaphore(plan.concurrency)
    begun = time.perf_counter()
    done = 0

    async def one(prompt: list[int], at: float) -> Timing:
        nonlocal done
        if at:
            await asyncio.sleep(max(0.0, begun + at - time.perf_counter()))
        async with room:
            timing = await complete(session, server, prompt, plan.output_tokens)
        done += 1
        if tell is not None:
            tell(done, plan.requests, time.perf_counter() - begun)
        return timing

    work = [one(prompt, at) for prompt, at in zip(prompts(plan), arrivals(plan), strict=True)]
    timings = await asyncio.gather(*work)
    return tuple(timings), time.perf_counter() - begun


if TYPE_CHECKING:
    import aiohttp
