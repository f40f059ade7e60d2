"""Why SGLang would not start: it checks weights and pool, and runs out of memory at graph capture.

A context longer than the pool is no reason: SGLang starts, and refuses the long request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from servespec.deployment import Deployment
from servespec.engines.sglang.device import Free
from servespec.engines.sglang.pools import Cell
from servespec.engines.sglang.refusals import (
    has_no_kernels,
    is_refused,
    is_too_new,
    is_too_old,
    least_capability,
    refused_on_rocm,
)
from servespec.engines.sglang.versions import is_since
from servespec.memory.budget import Shortfall, ShortfallKind, Term

GIB = 2**30
WINDOW_POOL_IS_CHECKED = "0.5.16"


@dataclass(frozen=True, slots=True)
class Found:
    """Reasons not to start; else what is left beyond the need, and how far that may be off."""

    shortfalls: tuple[Shortfall, ...]
    slack_bytes: int
    uncertainty_bytes: int


def find(
    deployment: Deployment,
    free: Free,
    weights: Term,
    tokens: int,
    cell: Cell,
    outside: Sequence[Term],
    uncertainty_bytes: int,
    states_bytes: int = 0,
) -> Found:
    """All reasons, worst first. ``states_bytes`` are recurrent states, taken before the pool of tokens."""
    if deployment.gpu.is_cpu and not deployment.gpu.total_bytes:
        return Found(tuple(_context(deployment, tokens, cell)), 1, 0)
    fraction = deployment.settings.number("mem_fraction_static")
    kept_free = round(free.at_start_bytes * (1 - fraction))
    static = free.before_weights_bytes - kept_free
    room = static - weights.size_bytes
    found = (
        *_quantization(deployment),
        *_weights(free, weights, uncertainty_bytes),
        *(_pool(deployment, static, weights, states_bytes, uncertainty_bytes) if tokens <= 0 else ()),
        *(_window(deployment, cell, tokens) if tokens > 0 else ()),
        *_capture(deployment, kept_free, outside),
        *(_little(deployment, room, uncertainty_bytes) if tokens > 0 else ()),
        *(_context(deployment, tokens, cell) if tokens > 0 else ()),
    )
    return Found(found, room, uncertainty_bytes)


def _refusal(message: str, fix: str) -> Shortfall:
    return Shortfall(
        kind=ShortfallKind.engine_refuses,
        message=message,
        needed_bytes=0,
        available_bytes=0,
        certain=True,
        key="hardware.gpu",
        fix=fix,
    )


def _quantization(deployment: Deployment) -> Iterator[Shortfall]:
    if is_too_old(deployment):
        yield _refusal(
            f"{deployment.gpu.name} is older than compute capability 7.5: “SGLang only supports sm75 and above.”",
            "take a newer GPU, or another engine",
        )
        return
    if is_too_new(deployment):
        yield _refusal(
            f"{deployment.gpu.name} is newer than the PyTorch of SGLang {deployment.version}: “no kernel image is available for "
            "execution on the device”",
            "take SGLang 0.4.7 or later",
        )
        return
    if has_no_kernels(deployment):
        yield _refusal(
            f"{deployment.gpu.name} is older than compute capability 8.0, from which on SGLang {deployment.version}'s kernels "
            "are built: “no kernel image is available for execution on the device”",
            "take a newer GPU, SGLang before 0.5.9, or another engine",
        )
        return
    if (method := refused_on_rocm(deployment)) is not None:
        yield _refusal(
            f"SGLang {deployment.version} refuses {method} weights on {deployment.gpu.name}: "
            f"“{method} quantization is currently not supported in ROCm.”",
            "take another checkpoint (FP8, AWQ, compressed-tensors, MXFP4) or another GPU",
        )
    least = least_capability(deployment)
    if least is None or not is_refused(deployment):
        return
    method, (major, minor) = least
    has = deployment.gpu.compute_capability or (0, 0)
    yield _refusal(
        f"{method} weights need compute capability {major}.{minor}, {deployment.gpu.name} has "
        f"{has[0]}.{has[1]}: SGLang {deployment.version} refuses to load them",
        "take a newer GPU, a newer SGLang or another checkpoint",
    )


def _weights(free: Free, weights: Term, uncertainty_bytes: int) -> Iterator[Shortfall]:
    over = weights.size_bytes - free.before_weights_bytes
    if over > 0:
        yield Shortfall(
            kind=ShortfallKind.weights_exceed_device,
            message=f"the weights take {weights.size_bytes / GIB:.2f} GiB of each GPU, "
            f"{free.before_weights_bytes / GIB:.2f} GiB are free: SGLang runs out of memory while loading",
            needed_bytes=weights.size_bytes,
            available_bytes=free.before_weights_bytes,
            certain=over > uncertainty_bytes,
            key="parallel.tensor",
            fix="split over more GPUs (parallel.tensor), or take a quantized checkpoint",
        )


def _pool(
    deployment: Deployment, static: int, weights: Term, states_bytes: int, uncertainty_bytes: int
) -> Iterator[Shortfall]:
    needed = weights.size_bytes + states_bytes
    states = f" and recurrent states {states_bytes / GIB:.2f} GiB" if states_bytes else ""
    left = f"{static / GIB:.2f} GiB" if static > 0 else "nothing"
    fraction = deployment.settings.number("mem_fraction_static")
    key = "limits.gpu_memory_fraction" if deployment.spec.limits.gpu_memory_fraction else "hardware.gpu"
    source = deployment.settings["mem_fraction_static"]
    key = source.key or key
    yield Shortfall(
        kind=ShortfallKind.no_memory_for_kv,
        message=f"mem_fraction_static {fraction:.3g} leaves {left} for weights and KV cache, the "
        f"weights take {weights.size_bytes / GIB:.2f} GiB{states}: SGLang stops with “Not enough memory. Please try to "
        "increase --mem-fraction-static”",
        needed_bytes=needed,
        available_bytes=static,
        certain=needed - static > uncertainty_bytes,
        key=key,
        fix="raise mem_fraction_static, split over more GPUs (parallel.tensor) or take a quantized checkpoint",
    )


def _little(deployment: Deployment, room: int, uncertainty_bytes: int) -> Iterator[Shortfall]:
    if room < uncertainty_bytes and not isinstance(deployment.settings.value("max_total_tokens"), int):
        yield Shortfall(
            kind=ShortfallKind.no_memory_for_kv,
            message=f"the weights leave {room / GIB:.2f} GiB for the KV cache, "
            f"the prediction is good to ± {uncertainty_bytes / GIB:.2f} GiB",
            needed_bytes=uncertainty_bytes,
            available_bytes=room,
            certain=False,
            key=deployment.settings["mem_fraction_static"].key or "hardware.gpu",
            fix="raise mem_fraction_static, split over more GPUs (parallel.tensor) or take a quantized checkpoint",
        )


def _context(deployment: Deployment, tokens: int, cell: Cell) -> Iterator[Shortfall]:
    """A context that is asked for and that the pool cannot hold: the server starts, and refuses such a request."""
    context = deployment.settings["context_length"]
    if context.key is None or not isinstance(context.value, int) or context.value <= tokens:
        return
    need, have = context.value * cell.bytes_per_token, tokens * cell.bytes_per_token
    yield Shortfall(
        kind=ShortfallKind.context_exceeds_kv,
        message=f"one request of {context.value:,} tokens needs {need / GIB:.2f} GiB of KV cache, {have / GIB:.2f} GiB "
        f"are there: SGLang starts, and refuses requests of more than {tokens:,} tokens",
        needed_bytes=round(need),
        available_bytes=round(have),
        certain=False,
        key=context.key,
        fix=f"{context.key} ≤ {tokens:,}, or split over more GPUs (parallel.tensor)",
    )


def _window(deployment: Deployment, cell: Cell, tokens: int) -> Iterator[Shortfall]:
    """The sliding-window pool has to hold more than one window (pool_configurator.py)."""
    if (
        not cell.window_bytes
        or not cell.full_bytes
        or not is_since(deployment.version, WINDOW_POOL_IS_CHECKED)
    ):
        return
    page = deployment.settings.integer("page_size")
    windows = [layers.window for layers in deployment.model.kv if layers.window]
    have = cell.window_tokens(tokens, page)
    need = max(windows, default=0) + page
    if windows and need >= have:
        yield Shortfall(
            kind=ShortfallKind.engine_refuses,
            message=f"the pool of the sliding-window layers holds {have:,} tokens, one request needs {need:,}",
            needed_bytes=round(need * cell.window_bytes),
            available_bytes=round(have * cell.window_bytes),
            certain=True,
            key="hardware.gpu",
            fix="raise swa_full_tokens_ratio or mem_fraction_static",
        )


def _capture(deployment: Deployment, kept_free: int, outside: Sequence[Term]) -> Iterator[Shortfall]:
    """The request table and the graphs have to fit into what is kept free."""
    terms = [term for term in outside if term.name != "activation"]
    need = sum(term.size_bytes for term in terms)
    spread = sum(term.uncertainty_bytes for term in terms)
    if need > kept_free:
        fraction = deployment.settings["mem_fraction_static"]
        yield Shortfall(
            kind=ShortfallKind.graphs_exceed_memory,
            message=f"the request table and the CUDA graphs with their tables take about {need / GIB:.2f} GiB, "
            f"mem_fraction_static {deployment.settings.number('mem_fraction_static'):.3g} keeps {kept_free / GIB:.2f} "
            "GiB free: SGLang runs out of memory while it captures",
            needed_bytes=need,
            available_bytes=kept_free,
            certain=need - spread > kept_free,
            key=fraction.key or "limits.max_concurrent_requests",
            fix="lower mem_fraction_static, limits.max_model_len, limits.max_concurrent_requests or cuda_graph_max_bs",
        )
