"""What SGLang takes out of the memory that it keeps free: request table, graphs, activations."""

from __future__ import annotations

from servespec.deployment import Deployment
from servespec.engines.sglang.graphs import decode_sizes
from servespec.engines.sglang.placement import Ranks
from servespec.memory.budget import Term

MIB = 2**20

# H200, 0.5.17, own start-ups: 0.27 to 0.33 GiB for 52 decode sizes (0.04 to 0.13 GiB of it attention tables), 1.47 to
# 2.84 GiB for 58 prefill sizes.
DECODE_GRAPH_BYTES = 4.5 * MIB
PREFILL_GRAPH_BYTES = 37 * MIB
GRAPH_SPREAD = 0.4

# mem_cache/memory_pool.py, ReqToTokenPool: int32 indices; schedule allows four tokens beyond the context.
EXTRA_CONTEXT = 4
INDEX_BYTES = 4


def request_table(requests: int, context: int) -> Term:
    """The table from requests to token slots: (requests + 1) × (context + 4) × 4 bytes."""
    size = (requests + 1) * (context + EXTRA_CONTEXT) * INDEX_BYTES
    return Term(
        name="request table",
        size_bytes=size,
        formula="(max_running_requests + 1) × (context_length + 4) × 4",
        numbers=f"({requests:,} + 1) × ({context:,} + 4) × 4",
        source="sglang mem_cache/memory_pool.py ReqToTokenPool; ten exact start-ups of 0.5.17",
    )


def graphs(deployment: Deployment) -> Term:
    """CUDA graphs, captured after the pool is allocated."""
    settings = deployment.settings
    speculates = settings.value("speculative_algorithm") is not None
    decode = (
        len(decode_sizes(settings.integer("cuda_graph_max_bs"), speculates=speculates))
        if settings.flag("decode_cuda_graphs")
        else 0
    )
    prefill = settings.integer("prefill_cuda_graphs")
    size = round(decode * DECODE_GRAPH_BYTES) + prefill * PREFILL_GRAPH_BYTES
    return Term(
        name="CUDA graphs",
        size_bytes=size,
        formula="decode sizes × 4.5 MiB + prefill sizes × 37 MiB",
        numbers=f"{decode} × 4.5 MiB + {prefill} × 37 MiB",
        source="own start-ups of 0.5.17 on an H200",
        uncertainty_bytes=round(GRAPH_SPREAD * size),
    )


def activation(deployment: Deployment) -> Term:
    """The live tensors of one prefill step: chunk × 6 × (hidden + intermediate of the rank) bytes.

    The same sum of live tensors as other engines' profile runs show for dense models; SGLang makes
    no such run, so that it shows only under load.
    """
    settings, model = deployment.settings, deployment.model
    chunk = settings.integer("chunked_prefill_size")
    tokens = chunk if chunk > 0 else settings.integer("max_prefill_tokens")
    ranks = Ranks.of(settings)
    inner = model.intermediate_size
    if model.moe is not None:
        inner = max(inner, model.moe.experts_per_token * model.moe.intermediate_size)
    width = model.hidden_size + inner // ranks.tensor
    size = tokens * 6 * width
    return Term(
        name="activation",
        size_bytes=size,
        formula="chunked_prefill_size × 6 × (hidden + intermediate ÷ tp)",
        numbers=f"{tokens:,} × 6 × {width:,}",
        source="sum of live tensors of a dense layer in bfloat16",
        uncertainty_bytes=size // 2,
    )
