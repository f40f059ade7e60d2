"""Block size of models that mix attention with recurrent layers.

Source: vllm/model_executor/models/config.py HybridAttentionMambaModelConfig (later
vllm/platforms/interface.py): the attention page is made at least as large as a recurrent state, and
the state is padded to it.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.formats import page_bytes, recurrent_page_bytes
from servespec.memory.shards import ceil_div
from servespec.models.facts import KVKind
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

MAMBA_CHUNK_TOKENS = 256
"""mamba_chunk_size / chunk_size where the configuration has none (transformers Mamba2Config)."""


def attention_block_size(deployment: Deployment) -> tuple[int, int | None]:
    """(block size in tokens, page in bytes that recurrent states are padded to, None without any)."""
    settings = deployment.settings
    block_size = settings.integer("block_size")
    states = [
        recurrent_page_bytes(deployment, kept)
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
    alignment = _alignment(deployment, block_size)
    needed = alignment * ceil_div(max(states), alignment * max(tokens))
    block_size = max(block_size, needed)
    return block_size, block_size * max(tokens)


def _alignment(deployment: Deployment, block_size: int) -> int:
    """Tokens that the attention block is a multiple of.

    16, or the block size already chosen (0.25 on); MLA kernels 64, from 0.32 on 128; where every block
    has its own state (``all``), also whole chunks of the Mamba kernel.
    """
    latent = any(kept.kind is KVKind.latent for kept in deployment.model.kv)
    alignment = max(16, block_size) if holds(">=0.25", deployment.version) else 16
    if latent:
        alignment = max(alignment, 128 if holds(">=0.32", deployment.version) else 64)
    if deployment.settings.value("mamba_cache_mode") == "all":
        alignment = lcm(alignment, int(deployment.model.extra.get("mamba_chunk_size", MAMBA_CHUNK_TOKENS)))
    return alignment
