"""What is to be sent: requests with exact lengths, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.spec.model import Workload

LOWEST_TOKEN = 4
"""Token ids below are special in most vocabularies (padding, beginning, end, unknown)."""

WARM_UP_REQUESTS = 4

SHARE_OF_LONGEST = 15 / 16
"""Of the longest request, where the default is cut to it: other load generators send words, a few tokens more or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One bench: how many requests, how long, how they arrive. Lengths in tokens.

    ``requests_per_second`` None: closed loop, ``concurrency`` in flight all the time; else arrivals of
    a Poisson process at that rate, with no more than ``concurrency`` in flight where it is set. ``note`` says where the
    lengths are others than people expect.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    concurrency: int
    vocabulary: int
    shared_prefix_tokens: int = 0
    requests_per_second: float | None = None
    seed: int = 0
    note: str = ""


def workload_of(deployment: Deployment) -> tuple[Workload, str]:
    """The workload that is meant, and what has to be said of it.

    A spec without one has the default, cut in proportion where the server takes no requests of that length.
    """
    from servespec.smoke.run import max_model_len_of
    from servespec.spec.model import Workload

    given, longest = deployment.spec.workload, max_model_len_of(deployment)
    workload = given or Workload()
    needed = workload.input_tokens + workload.output_tokens
    if given is not None or longest is None or needed <= longest:
        return workload, ""
    room = max(2, int(longest * SHARE_OF_LONGEST))
    output_tokens = max(1, room * workload.output_tokens // needed)
    cut = workload.model_copy(update={"input_tokens": room - output_tokens, "output_tokens": output_tokens})
    return cut, (
        f"the spec has no workload, and the default of {_lengths(workload)} is longer than the {longest:,} tokens that "
        f"{deployment.engine} takes: {_lengths(cut)} are sent"
    )


def refuse_what_is_too_long(deployment: Deployment) -> None:
    """Raise UsageError for a workload of the spec whose requests the server would refuse."""
    from servespec.errors import UsageError
    from servespec.smoke.run import max_model_len_of

    workload, longest = deployment.spec.workload, max_model_len_of(deployment)
    if workload is None or longest is None:
        return
    needed = workload.input_tokens + workload.output_tokens
    if needed > longest:
        raise UsageError(
            f"a request of the workload has {needed:,} tokens ({_lengths(workload)}), {deployment.engine} takes "
            f"{longest:,} at most: shorten workload.input_tokens or output_tokens, or raise limits.max_model_len"
        )


def _lengths(workload: Workload) -> str:
    return f"{workload.input_tokens:,} in and {workload.output_tokens:,} out"


def plan_of(workload: Workload, vocabulary: int, seed: int = 0, note: str = "") -> Plan:
    """A workload as a plan; ``vocabulary`` is the size that token ids are drawn from."""
    return Plan(
        requests=workload.requests,
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        concurrency=workload.concurrency,
        vocabulary=vocabulary,
        shared_prefix_tokens=min(workload.shared_prefix_tokens, workload.input_tokens),
        requests_per_second=workload.requests_per_second,
        seed=seed,
        note=note,
    )


def prompts(plan: Plan) -> Iterator[list[int]]:
    """The prompts as token ids, each exactly ``input_tokens`` long; all begin with the shared prefix.

    Ids stay in the lower half of the vocabulary: the upper end holds added special tokens.
    """
    draw = random.Random(plan.seed)  # noqa: S311 - repeatable, not secret
    highest = max(LOWEST_TOKEN + 1, plan.vocabulary // 2)
    prefix = [draw.randrange(LOWEST_TOKEN, highest) for _ in range(plan.shared_prefix_tokens)]
    for _ in range(plan.requests):
        rest = plan.input_tokens - len(prefix)
        yield prefix + [draw.randrange(LOWEST_TOKEN, highest) for _ in range(rest)]


def warm_up_plan(plan: Plan) -> Plan:
    """A few requests of the same lengths with other prompts: nothing of them is in the prefix cache later."""
    count = min(WARM_UP_REQUESTS, plan.requests)
    return Plan(
        requests=count,
        input_tokens=plan.input_tokens,
        output_tokens=min(plan.output_tokens, 16),
        concurrency=count,
        vocabulary=plan.vocabulary,
        seed=plan.seed + 1_000_003,
    )


def arrivals(plan: Plan) -> Iterator[float]:
    """Seconds from the start at which each request is sent; all 0 in a closed loop."""
    if plan.requests_per_second is None:
        yield from (0.0 for _ in range(plan.requests))
        return
    draw = random.Random(plan.seed + 1)  # noqa: S311 - repeatable, not secret
    now = 0.0
    for _ in range(plan.requests):
        yield now
        now += draw.expovariate(plan.requests_per_second)
