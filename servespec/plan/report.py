"""A plan told to people and to programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from servespec.plan.roofline import FAST, SLOW, Machine
from servespec.plan.sizing import estimate, size

if TYPE_CHECKING:
    from servespec.plan.evaluate import Fit, Refusal
    from servespec.plan.plan import Plan
    from servespec.plan.sizing import Estimate

GIB = 2**30
MOST_REASONS = 12

FORMULAS = {
    "step": "stages × (max(bytes read ÷ bandwidth, FLOPs ÷ compute) + collectives + launches); "
    f"{Machine.__name__} in servespec/plan/roofline.py",
    "prefill": "(2 × parameters in use × n + attention × n²) ÷ (tensor × FLOP/s) + collectives",
    "request": f"W(b) = prefill × (1 + (b − 1) ÷ stages) + output × step(b); see {estimate.__name__}",
    "itl": "(W − TTFT) ÷ (output − 1)",
    "ttft": "prefill + one step, nothing queued; with a number in flight that begins together the mean of "
    "them: prefill × (1 + (b − 1) ÷ 2 stages) + one step",
    "output_tokens_per_second": "data × b × output ÷ W(b)",
    "replicas": f"max(rate × W ÷ C, rate ÷ requests per second) × headroom (Little's law); see {size.__name__}",
}

CONSTRAINTS = {
    "weights_exceed_device": "the weights are larger than the GPUs",
    "no_memory_for_kv": "no memory is left for the KV cache",
    "context_exceeds_kv": "the KV cache does not hold the longest request (limits.max_model_len)",
    "kv_cache": "the KV cache holds no request of the workload's length",
    "graphs_exceed_memory": "CUDA graphs and buffers exceed what is left beside the budget",
    "warmup_exceeds_memory": "the warm-up runs out of memory",
    "free_memory_below_budget": "less memory is free than the budget asks for",
    "engine_refuses": "the engine refuses to start",
    "tight": "the start lies within the uncertainty of the prediction",
    "not_modelled": "not modelled",
    "inexpressible": "the engine has no such split",
    "itl_ms": "the inter-token latency objective is missed (estimate)",
    "ttft_ms": "the time-to-first-token objective is missed (estimate)",
    "output_tokens_per_second": "the throughput objective is missed (estimate)",
}


def as_text(plan: Plan, width: int = 80) -> str:
    """The answers as a table, what the estimates rest on, and why the rest does not serve, in ``width`` columns."""
    return "\n".join(_lines(plan, width)) + "\n"


def _wrapped(text: str, width: int, indent: str, further: str | None = None) -> list[str]:
    later = indent if further is None else further
    return wrap(text, width, initial_indent=indent, subsequent_indent=later, break_on_hyphens=False)


def _lines(plan: Plan, width: int) -> Iterator[str]:
    demand, workload = plan.demand, plan.demand.workload
    rate = workload.requests_per_second
    arrival = f"{rate:g} requests/s" if rate is not None else f"{workload.concurrency:,} requests in flight"
    assumed = "" if plan.spec.workload else " (the default: the spec has no workload)"
    yield from _wrapped(
        f"{plan.spec.name}: {workload.input_tokens:,} tokens in, {workload.output_tokens:,} out, {arrival}{assumed}",
        width,
        "",
    )
    yield from _table(plan)
    if plan.best is not None:
        yield ""
        yield from _wrapped(f"≈ are estimates: {what_estimates_rest_on(plan)}.", width, "  ")
        yield from _wrapped(
            f"Sizes are taken at the slow end, for {demand.headroom:g} × a rate. KV room: requests that the KV cache "
            "holds ÷ those in flight.",
            width,
            "  ",
        )
        if plan.demand.objectives is None and rate is not None:
            yield from _wrapped(
                "No objectives are given, so the KV cache is filled: objectives.itl_ms and ttft_ms bound the latency.",
                width,
                "  ",
            )
        yield from _wrapped(f"Replicas by {plan.best.sizing.limit}: {reckoning(plan.best)}", width, "  ")
    yield from _why_not(plan, width)
    yield ""
    yield (
        f"{plan.candidates:,} configurations in {plan.seconds:.2f} s, {plan.exact:,} of them by the engine's own budget"
    )


def _table(plan: Plan) -> Iterator[str]:
    """The answers, each column as wide as what stands in it; ≈ marks estimates."""
    shown = [*plan.answers, *(fit for fit in plan.of_each if fit not in plan.answers)]
    if not shown:
        return
    heads = (
        "GPUs",
        "price/h",
        "GPU",
        "replicas × each",
        "engine",
        "KV room",
        "≈ITL ms",
        "≈TTFT ms",
        "≈tokens/s",
    )
    rows = [heads, *(_cells(plan, fit) for fit in shown)]
    wanted = [index for index in range(len(heads)) if index != 1 or plan.prices]
    widths = [max(len(row[index]) for row in rows) for index in wanted]
    yield ""
    for row, fit in zip(rows, (None, *shown), strict=True):
        cells = (
            f"{row[index]:<{width}}" if index in (2, 3, 4) else f"{row[index]:>{width}}"
            for index, width in zip(wanted, widths, strict=True)
        )
        yield "  " + "  ".join(cells)
        if fit is None:
            continue
        if title := concessions(plan, fit):
            yield f"       with {title}"
        if fit not in plan.answers:
            yield "       (the best of its kind; an answer above needs no more of anything)"


def what_estimates_rest_on(plan: Plan) -> str:
    """The range of the estimates."""
    has_experts = any(checkpoint.facts.moe is not None for _, checkpoint in plan.space.checkpoints)
    ends = [(end.bandwidth, end.expert_compute if has_experts else end.compute) for end in (SLOW, FAST)]
    slow, fast = (
        f"{bandwidth:.0%} of the bandwidth and {compute:.0%} of the compute" for bandwidth, compute in ends
    )
    return f"from {slow} of the data sheet to {fast}"


def _cells(plan: Plan, fit: Fit) -> tuple[str, ...]:
    candidate, sizing = fit.candidate, fit.sizing
    price = plan.price_per_hour(fit)
    slow, fast = sizing.slow, sizing.fast
    return (
        str(fit.gpus),
        "" if price is None else f"{price:,.2f}",
        candidate.gpu.name,
        f"{sizing.replicas} × {candidate.split}",
        f"{candidate.engine} {fit.version}",
        f"{kv_room(fit):.1f}×",
        f"{fast.itl_seconds * 1e3:,.0f}…{slow.itl_seconds * 1e3:,.0f}",
        f"{fast.ttft_seconds * 1e3:,.0f}…{slow.ttft_seconds * 1e3:,.0f}",
        f"{sizing.replicas * slow.output_tokens_per_second:,.0f}…"
        f"{sizing.replicas * fast.output_tokens_per_second:,.0f}",
    )


def kv_room(fit: Fit) -> float:
    """Requests that the KV cache of a replica holds for each that is in flight."""
    return fit.sizing.concurrency / (fit.sizing.slow.in_flight * fit.candidate.split.data)


def reckoning(fit: Fit) -> str:
    """The two limits of Little's law with their figures."""
    sizing = fit.sizing
    return f"{sizing.by_kv:.2f} for the KV cache, {sizing.by_tokens:.2f} for tokens per second → {sizing.replicas}"


def concessions(plan: Plan, fit: Fit) -> str:
    """What the answer changes that the spec did not leave open."""
    candidate = fit.candidate
    words = []
    if not candidate.checkpoint.is_own:
        words.append(candidate.checkpoint.title)
    if candidate.kv_dtype != plan.spec.kv_cache.dtype:
        words.append(f"kv_cache.dtype {candidate.kv_dtype}")
    if candidate.max_model_len != plan.spec.limits.max_model_len:
        words.append(f"max_model_len {candidate.max_model_len:,}")
    return ", ".join(words)


def reasons(plan: Plan) -> list[tuple[str, int, list[str], str]]:
    """Why configurations are no answer: (constraint, how many, GPUs, the nearest example), the commonest first."""
    groups: dict[str, list[tuple[str, Refusal, str]]] = {}
    for outcome in plan.outcomes:
        for candidate, refusal in outcome.refused:
            where = f"{candidate.engine}, {candidate.gpu.name}, {candidate.split}"
            groups.setdefault(refusal.constraint, []).append((candidate.gpu.name, refusal, where))
    found = []
    for constraint, entries in groups.items():
        _, refusal, where = entries[-1]
        gpus = list(dict.fromkeys(name for name, _, _ in entries))
        found.append((constraint, len(entries), gpus, f"{where}: {refusal.message}"))
    return sorted(found, key=lambda group: (-group[1], group[0]))


def words_of(constraint: str) -> str:
    """What a binding constraint is; the code of a rule where one refuses."""
    return CONSTRAINTS.get(constraint, f"refused by the rule {constraint}")


def _why_not(plan: Plan, width: int) -> Iterator[str]:
    found = reasons(plan)
    dominated = sum(sum(outcome.dominated.values()) for outcome in plan.outcomes)
    if found or dominated:
        yield ""
        yield "why the rest is no answer:"
    if dominated:
        yield f"  {dominated:>6,}  need no fewer GPUs, and cost no less, than an answer above"
    for constraint, count, gpus, example in found[:MOST_REASONS]:
        words = words_of(constraint)
        names = ", ".join(gpus[:4]) + (f" and {len(gpus) - 4} more" if len(gpus) > 4 else "")
        yield from _wrapped(f"{words}: {names}", width, f"  {count:>6,}  ", " " * 10)
        yield from _wrapped(f"as {example}", width, " " * 10, " " * 13)


def as_json(plan: Plan) -> str:
    """The same for programs; bytes, tokens, seconds."""
    from servespec._version import __version__

    document = {
        "servespec": __version__,
        "schema": "plan.v1",
        "name": plan.spec.name,
        "workload": plan.demand.workload.model_dump(mode="json"),
        "headroom": plan.demand.headroom,
        "estimates": what_estimates_rest_on(plan),
        "formulas": FORMULAS,
        "efficiency": {
            "slow": asdict(SLOW),
            "fast": asdict(FAST),
        },
        "answers": [answer(plan, fit) for fit in plan.answers],
        "of_each": [answer(plan, fit) for fit in plan.of_each],
        "not": [
            {
                "constraint": constraint,
                "words": words_of(constraint),
                "configurations": count,
                "gpus": gpus,
                "example": example,
            }
            for constraint, count, gpus, example in reasons(plan)
        ],
        "dominated": sum(sum(outcome.dominated.values()) for outcome in plan.outcomes),
        "search": {
            "configurations": plan.candidates,
            "evaluated": plan.exact,
            "seconds": round(plan.seconds, 4),
        },
    }
    return json.dumps(document, indent=2) + "\n"


def answer(plan: Plan, fit: Fit) -> dict[str, Any]:
    """One answer for programs."""
    candidate, sizing, budget = fit.candidate, fit.sizing, fit.budget
    split = candidate.split
    return {
        "gpus": fit.gpus,
        "price_per_hour": plan.price_per_hour(fit),
        "currency": plan.prices.currency if plan.prices else None,
        "gpu": candidate.gpu.name,
        "replicas": sizing.replicas,
        "nodes": split.nodes,
        "tensor": split.tensor,
        "pipeline": split.pipeline,
        "data": split.data,
        "engine": candidate.engine,
        "version": fit.version,
        "model": candidate.checkpoint.model.id,
        "quantization": candidate.checkpoint.model.quantization,
        "checkpoint": candidate.checkpoint.title,
        "kv_dtype": candidate.kv_dtype,
        "max_model_len": candidate.max_model_len,
        "concessions": concessions(plan, fit),
        "verdict": str(budget.verdict),
        "kv_cache_bytes": budget.kv_cache_bytes,
        "kv_tokens": budget.kv_tokens,
        "concurrency": round(sizing.concurrency, 2),
        "kv_room": round(kv_room(fit), 3),
        "sizing": {
            "limit": sizing.limit,
            "by_kv": round(sizing.by_kv, 4),
            "by_tokens": round(sizing.by_tokens, 4),
        },
        "estimate": {"slow": _figures(sizing.slow), "fast": _figures(sizing.fast)},
    }


def _figures(found: Estimate) -> dict[str, float]:
    return {
        "in_flight_per_data_rank": round(found.in_flight, 2),
        "ttft_seconds": round(found.ttft_seconds, 6),
        "itl_seconds": round(found.itl_seconds, 6),
        "output_tokens_per_second": round(found.output_tokens_per_second, 2),
        "requests_per_second": round(found.requests_per_second, 4),
    }
