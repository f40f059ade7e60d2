"""What a bench found: throughput, percentiles, and which objectives were missed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from servespec.bench.plan import Plan
from servespec.bench.request import Timing

if TYPE_CHECKING:
    from servespec.deployment import Deployment

SHARES = (50, 90, 95, 99)
FORMATS = ("text", "json", "svg")


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and percentiles of one latency, in milliseconds."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective of the spec: what was wanted, what was seen. Met when not on the wrong side."""

    name: str
    wanted: float
    seen: float | None
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """The figures of one bench. Tokens a second are of all requests together; latencies in milliseconds."""

    name: str
    engine: str
    version: str
    url: str
    plan: Plan
    seconds: float
    completed: int
    failed: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None
    requests_per_second: float
    output_tokens_per_second: float
    total_tokens_per_second: float
    ttft_ms: Spread | None
    itl_ms: Spread | None
    tpot_ms: Spread | None
    e2e_ms: Spread | None
    objectives: tuple[Objective, ...]
    errors: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """No request failed and every objective was met."""
        return not self.failed and all(objective.met for objective in self.objectives)


def percentile(values: Sequence[float], share: float) -> float:
    """Linear interpolation between the nearest ranks, as numpy does by default; ``values`` not empty."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * share / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def spread(seconds: Sequence[float]) -> Spread | None:
    """Mean and percentiles in milliseconds; None without a value."""
    if not seconds:
        return None
    values = [1000 * value for value in seconds]
    p50, p90, p95, p99 = (percentile(values, share) for share in SHARES)
    return Spread(mean=sum(values) / len(values), p50=p50, p90=p90, p95=p95, p99=p99, worst=max(values))


def summarise(
    deployment: Deployment, url: str, plan: Plan, timings: Sequence[Timing], seconds: float
) -> BenchReport:
    """The timings of one bench summed up; the time between tokens after the first is TPOT, as a mean a request."""
    good = [each for each in timings if each.ok]
    output = sum(each.output_tokens for each in good)
    total = output + sum(each.input_tokens for each in good)
    cached = [each.cached_tokens for each in good if each.cached_tokens is not None]
    ttft = spread([each.time_to_first_token for each in good if each.time_to_first_token is not None])
    itl = spread([gap for each in good for gap in each.gaps])
    rate = output / seconds if seconds else 0.0
    return BenchReport(
        name=deployment.spec.name,
        engine=deployment.engine,
        version=deployment.version,
        url=url,
        plan=plan,
        seconds=seconds,
        completed=len(good),
        failed=len(timings) - len(good),
        input_tokens=total - output,
        output_tokens=output,
        cached_tokens=sum(cached) if cached else None,
        requests_per_second=len(good) / seconds if seconds else 0.0,
        output_tokens_per_second=rate,
        total_tokens_per_second=total / seconds if seconds else 0.0,
        ttft_ms=ttft,
        itl_ms=itl,
        tpot_ms=spread([_tpot(each) for each in good if each.output_tokens > 1]),
        e2e_ms=spread([each.seconds for each in good]),
        objectives=_objectives(deployment, ttft, itl, rate),
        errors=tuple(sorted({each.error for each in timings if not each.ok})),
    )


def _tpot(timing: Timing) -> float:
    first = timing.time_to_first_token or 0.0
    return (timing.seconds - first) / (timing.output_tokens - 1)


def _objectives(
    deployment: Deployment, ttft: Spread | None, itl: Spread | None, rate: float
) -> tuple[Objective, ...]:
    wanted = deployment.spec.objectives
    if wanted is None:
        return ()
    found: list[Objective] = []
    for name, limit, seen in (("ttft_ms", wanted.ttft_ms, ttft), ("itl_ms", wanted.itl_ms, itl)):
        if limit is not None:
            p95 = seen.p95 if seen is not None else None
            found.append(Objective(f"{name} p95", limit, p95, p95 is not None and p95 <= limit))
    if wanted.output_tokens_per_second is not None:
        least = wanted.output_tokens_per_second
        found.append(Objective("output_tokens_per_second", least, rate, rate >= least))
    return tuple(found)


def write(report: BenchReport, format_name: str) -> str:
    """The report in one of ``FORMATS``."""
    if format_name == "json":
        return json.dumps(asdict(report) | {"passed": report.passed}, indent=2) + "\n"
    if format_name == "svg":
        from servespec.bench.picture import picture

        return picture(report)
    return _text(report)


def _text(report: BenchReport) -> str:
    plan = report.plan
    loop = (
        f"{plan.concurrency} at a time"
        if plan.requests_per_second is None
        else f"{plan.requests_per_second:g} a second, at most {plan.concurrency} in flight"
    )
    lines = [
        f"{report.name} on {report.engine} {report.version}: {plan.requests} requests, {plan.input_tokens} in, "
        f"{plan.output_tokens} out, {loop}",
        f"  completed          {report.completed:>10,} in {report.seconds:.2f} s"
        + (f", {report.failed} failed" if report.failed else ""),
        f"  requests/s         {report.requests_per_second:>10,.2f}",
        f"  output tokens/s    {report.output_tokens_per_second:>10,.1f}",
        f"  total tokens/s     {report.total_tokens_per_second:>10,.1f}",
    ]
    if plan.note:
        lines.insert(1, f"  note: {plan.note}")
    if report.cached_tokens is not None:
        share = report.cached_tokens / report.input_tokens if report.input_tokens else 0.0
        lines.append(f"  from prefix cache  {report.cached_tokens:>10,} tokens ({share:.0%} of the prompts)")
    lines.append(f"  {'ms':18} {'mean':>9} {'p50':>9} {'p90':>9} {'p95':>9} {'p99':>9}")
    for title, value in (
        ("time to first token", report.ttft_ms),
        ("between tokens", report.itl_ms),
        ("per output token", report.tpot_ms),
        ("whole request", report.e2e_ms),
    ):
        if value is not None:
            cells = " ".join(
                f"{each:>9,.2f}" for each in (value.mean, value.p50, value.p90, value.p95, value.p99)
            )
            lines.append(f"  {title:18} {cells}")
    for objective in report.objectives:
        seen = "–" if objective.seen is None else f"{objective.seen:,.2f}"
        word = "met" if objective.met else "MISSED"
        lines.append(f"  {word:6} {objective.name}: wanted {objective.wanted:,.2f}, seen {seen}")
    lines += [f"  error: {error}" for error in report.errors]
    return "\n".join(lines) + "\n"
