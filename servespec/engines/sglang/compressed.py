"""DeepSeek V4's pools: compressed keys of every 4th or 128th token, a sliding window, and states of compression.

Source: model_executor/pool_configurator.py DSV4PoolConfigurator of 0.5.12 to 0.5.23;
mem_cache/deepseek_v4_memory_pool.py.
"""

from __future__ import annotations

from servespec.deployment import Settings
from servespec.engines.sglang.placement import Ranks, stage_layers
from servespec.engines.sglang.pools import DSA_QUANT_BLOCK, Cell, request_cap
from servespec.engines.sglang.versions import is_since
from servespec.memory.shards import round_up
from servespec.models.facts import KVKind, ModelFacts, Part

# One slot in FlashMLA's layout: fp8 latent, bfloat16 rotary part, scales.
SCALES_BYTES = 8
RATIO = 0.1  # arg_groups/overrides.py; since 0.5.21 DSV4_DEFAULT_SWA_FULL_TOKENS_RATIO
SPARSE, DENSE = 4, 128  # one compressed token for so many tokens
SPARSE_RING, DENSE_RING = 8, 128  # get_compress_state_ring_size
SPECULATIVE_RINGS = (16, 256)
STATE_BYTES = 4  # environ.py, SGLANG_DSV4_COMPRESS_STATE_DTYPE: float32

# Since 0.5.21 the window pool is sized by the requests where they are given, and states by pages.
CAP_BY_REQUESTS = "0.5.21"
TAILS_PER_REQUEST = 4
FLASHMLA_PAGE_ALIGNMENT = 576
DEFAULT_REQUESTS = 256  # arg_groups/deepseek_v4_hook.py


def compressed_cell(model: ModelFacts, settings: Settings, version: str, stage: int) -> Cell:
    """What a token costs on one rank of a pipeline stage; the latent cache is on every tensor-parallel rank."""
    mine = set(stage_layers(model.layers, settings.integer("pp_size"), version)[stage])
    sparse = _layers(model, KVKind.indexer) & mine
    dense = (_layers(model, KVKind.latent) & mine) - sparse
    head_dim, index_dim = model.head_dim, _index_dim(model)
    rope = model.extra.get("qk_rope_head_dim", 64)
    rope_dim = rope if isinstance(rope, int) else 64
    page, window = settings.integer("page_size"), model.sliding_window or 128
    slot = head_dim - rope_dim + 2 * rope_dim + SCALES_BYTES
    speculates = settings.value("speculative_algorithm") is not None
    sparse_ring, dense_ring = SPECULATIVE_RINGS if speculates else (SPARSE_RING, DENSE_RING)
    by_pages = is_since(version, CAP_BY_REQUESTS)

    def paged(tokens_per_slot: int) -> float:
        if not by_pages:
            return float(slot)
        slots = page // tokens_per_slot
        return round_up(slots * slot, FLASHMLA_PAGE_ALIGNMENT) / slots

    index_bytes = index_dim + index_dim // DSA_QUANT_BLOCK * 4
    full = len(sparse) * (paged(SPARSE) + index_bytes) / SPARSE + len(dense) * paged(DENSE) / DENSE
    states = 4 * (head_dim + index_dim) * STATE_BYTES * sparse_ring / (page if by_pages else window)
    per_window_token = len(mine) * paged(1) + len(sparse) * states
    drafts = (len(mine) + 1) / len(mine) if speculates and mine else 1.0
    requests = _requests(settings)
    rows = round_up((requests + 1) * dense_ring + dense_ring + 1, DENSE)
    return Cell(
        full_bytes=full * drafts,
        full_layers=len(mine),
        window_bytes=per_window_token * drafts,
        window_ratio=_ratio(settings),
        window_cap=_cap(settings, window) if by_pages else None,
        fixed_bytes=rows * 2 * head_dim * STATE_BYTES * len(dense),
    )


def _layers(model: ModelFacts, kind: KVKind) -> set[int]:
    return {layer for kv in model.kv if kv.kind is kind and kv.part is not Part.mtp for layer in kv.layers}


def _index_dim(model: ModelFacts) -> int:
    return next((kv.key_dim for kv in model.kv if kv.kind is KVKind.indexer), 0)


def _requests(settings: Settings) -> int:
    given = settings.value("max_running_requests")
    ranks = Ranks.of(settings)
    return max(
        1, (given if isinstance(given, int) else DEFAULT_REQUESTS) // (ranks.tensor // ranks.attention)
    )


def _ratio(settings: Settings) -> float:
    setting = settings["swa_full_tokens_ratio"]
    value = setting.value
    return float(value) if setting.source == "args" and isinstance(value, int | float) else RATIO


def _cap(settings: Settings, window: int) -> int | None:
    """Window tokens of the running requests, and of four cached prefixes for each."""
    if settings["swa_full_tokens_ratio"].source == "args":
        return None
    cap = request_cap(settings, window)
    if cap is None:
        return None
    page = settings.integer("page_size")
    tails = 0 if settings.flag("disable_radix_cache") else TAILS_PER_REQUEST * _requests(settings)
    return round_up(cap + tails * (window + page), page)
