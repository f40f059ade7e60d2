"""Block size of models that mix attention with recurrent layers.

Source: vllm/model_executor/models/config.py HybridAttentionMambaModelConfig (later
vllm/platforms/interface.py): the attention page is made at least as large as a recurrent state, and
the state is padded to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.formats import page_bytes
from servespec.memory.kv import state_bytes
from servespec.memory.shards import ceil_div
from servespec.models.facts import KVKind

if TYPE_CHECKING:
    from servespec.deployment import Deployment


def attention_block_size(deployment: Deployment) -> tuple[int, int | None]:
    """(block size in tokens, page in bytes that recurrent states are padded to, None without any)."""
    settings = deployment.settings
    block_size = settings.integer("block_size")
    tensor_parallel = settings.integer("tensor_parallel_size")
    dtype = str(settings.value("dtype"))
    states = [
        state_bytes(kept, tensor_parallel, dtype)
        for kept in deployment.model.kv
        if kept.kind is KVKind.recurrent
    ]
    tokens = [
        page_bytes(deployment, kept, 1)
        for kept in deployment.model.kv
        if kept.kind in (KVKind.full, KVKind.latent)
    ]
    if not states or not tokens:
        return block_size, None
    alignment = 16
    needed = alignment * ceil_div(max(states), alignment * max(tokens))
    block_size = max(block_size, needed)
    return block_size, block_size * max(tokens)
