"""The tables of token slots that an attention backend keeps for captured decode graphs.

Each holds a whole context for every request of the largest graph, so that long contexts make them large.

Source: init_cuda_graph_state of layers/attention/flashattention_backend.py, flashinfer_backend.py,
flashinfer_mla_backend.py and triton_backend.py of 0.4.1, 0.4.6, 0.4.10, 0.5.5, 0.5.17 and 0.5.23; the other
backends' of 0.5.23.
"""

from __future__ import annotations

from servespec.deployment import Deployment
from servespec.engines.sglang.graphs import is_mla
from servespec.engines.sglang.versions import is_since
from servespec.memory.budget import Term
from servespec.models.facts import KVKind

INDEX_BYTES, WIDE_INDEX_BYTES, MASK_BYTES = 4, 8, 1

# Kernels of the Triton backend take 64-bit slots in 0.5.5, not yet in 0.4.10.
WIDE_SINCE = "0.5.0"
# A second table for drafts, kept whether or not there are drafts, in 0.4.6 and 0.4.10, gone in 0.5.5.
DRAFT_TABLE_UNTIL = "0.5.0"


def attention_tables(deployment: Deployment) -> Term:
    """Largest decode graph × context × bytes of a token's slot, as the backend keeps them."""
    settings = deployment.settings
    requests = settings.integer("cuda_graph_max_bs") if settings.flag("decode_cuda_graphs") else 0
    context = settings.integer("context_length")
    backend = str(settings.value("attention_backend"))
    per_token, rows = _slot_bytes(deployment, backend), 1
    if backend in ("flashinfer", "triton") and not is_mla(deployment.model):
        drafts = settings.value("speculative_num_draft_tokens")
        rows = drafts if isinstance(drafts, int) and drafts > 0 else 1
    return Term(
        name="attention tables",
        size_bytes=round(requests * rows * context * per_token),
        formula="cuda_graph_max_bs × tokens of a request × context_length × bytes of a slot",
        numbers=f"{requests:,} × {rows} × {context:,} × {per_token:g}",
        source=f"sglang init_cuda_graph_state of the {backend} backend",
    )


def _slot_bytes(deployment: Deployment, backend: str) -> float:
    model, version = deployment.model, deployment.version
    has_windows = any(layers.kind is KVKind.sliding for layers in model.kv)
    has_chunks = any(layers.kind is KVKind.chunked for layers in model.kv)
    if backend == "triton":
        return (WIDE_INDEX_BYTES if is_since(version, WIDE_SINCE) else INDEX_BYTES) + MASK_BYTES
    if backend == "flashinfer" and not is_mla(model):
        return INDEX_BYTES * (2 if has_windows else 1) + MASK_BYTES
    tables = 1 if backend != "fa3" else 1 + (not is_since(version, DRAFT_TABLE_UNTIL)) + has_windows
    return (
        INDEX_BYTES * (tables + (has_chunks and backend == "fa3")) / deployment.settings.integer("page_size")
    )
