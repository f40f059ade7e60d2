"""How SGLang turns bytes into a token pool: bytes per token, sliding-window pools, pages.

Source: model_executor/pool_configurator.py of 0.5.10 to 0.5.23 (DefaultPoolConfigurator,
HybridSWAPoolConfigurator); model_executor/model_runner.py profile_max_num_token before;
mem_cache/memory_pool.py for what is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from servespec.deployment import Settings
from servespec.engines.sglang.kv_dtype import FP4
from servespec.engines.sglang.placement import Ranks, stage_layers
from servespec.engines.sglang.versions import is_since
from servespec.memory.elements import element_bytes
from servespec.memory.kv import token_elements
from servespec.memory.shards import round_up
from servespec.models.facts import KVKind, KVLayers, ModelFacts, Part

# configs/model_config.py, is_hybrid_swa_model: since when an architecture has a pool of its own for its
# sliding-window layers. Every other architecture keeps all tokens in all layers.
WINDOW_POOLS: Mapping[str, str] = MappingProxyType(
    {
        "MiMoV2FlashForCausalLM": "0.5.7",
        "MiMoV2ForCausalLM": "0.5.12",
        "Llama4ForConditionalGeneration": "0.5.8",
        "GptOssForCausalLM": "0.5.8",
        "Step3p5ForCausalLM": "0.5.9",
        "Gemma4ForCausalLM": "0.5.11",
        "Gemma4ForConditionalGeneration": "0.5.11",
        "LagunaForCausalLM": "0.5.11",
        "Gemma4UnifiedForConditionalGeneration": "0.5.14",
        "Step3p7ForConditionalGeneration": "0.5.14",
        "MellumForCausalLM": "0.5.17",
        "InklingForConditionalGeneration": "0.5.17",
        "MuseGlimmerForCausalLM": "0.5.20",
        "MuseGlimmerForConditionalGeneration": "0.5.20",
    }
)

# model_executor/pool_configurator.py, SWARequestCapPoolConfigurator (until 0.5.17 SWAChunkCapPoolConfigurator).
CAP_BY_REQUESTS = "0.5.14"
EVICTION_INTERVAL = 128  # environ.py, SGLANG_SWA_EVICTION_INTERVAL
CHUNKS_IN_FLIGHT = 2  # with the overlap scheduler, which is on by default

DSA_QUANT_BLOCK = 128  # mem_cache/memory_pool.py, DSATokenToKVPool.quant_block_size
FP4_SCALE_BLOCK = 16  # model_executor/pool_configurator.py, scale_block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What tokens take on one rank: in layers that keep all of them, and in sliding-window pools.

    A sliding-window pool holds ``window_ratio`` of the tokens, or ``window_cap`` of them whatever
    the rest is. ``fixed_bytes`` do not grow with tokens. ``full_layers`` counts layers of the first kind.
    """

    full_bytes: float
    full_layers: int
    window_bytes: float = 0
    window_ratio: float = 0.0
    window_cap: int | None = None
    fixed_bytes: int = 0

    @property
    def bytes_per_token(self) -> float:
        """What one more token of ``max_total_num_tokens`` costs."""
        if not self.full_layers:
            return self.window_bytes
        if self.window_cap is not None:
            return self.full_bytes
        return self.full_bytes + self.window_ratio * self.window_bytes

    def tokens(self, available_bytes: float, page_size: int) -> int:
        """``max_total_num_tokens`` of the pool, whole pages."""
        rest = available_bytes - self.fixed_bytes - (self.window_cap or 0) * self.window_bytes
        return max(0, int(rest // self.bytes_per_token)) // page_size * page_size

    def window_tokens(self, tokens: int, page_size: int) -> int:
        """Tokens of the sliding-window pool beside ``tokens`` of the full one."""
        if self.window_cap is not None:
            return min(self.window_cap, tokens)
        return int(tokens * self.window_ratio) // page_size * page_size

    def pool_bytes(self, tokens: int, page_size: int) -> int:
        """Bytes allocated for the pool: one page more than it has tokens (slot 0 takes padded writes)."""
        if not self.full_layers:
            return round((tokens + page_size) * self.window_bytes)
        size = (tokens + page_size) * self.full_bytes + self.fixed_bytes
        if self.window_bytes:
            size += (self.window_tokens(tokens, page_size) + page_size) * self.window_bytes
        return round(size)


def has_window_pool(model: ModelFacts, settings: Settings, version: str) -> bool:
    """Whether sliding-window layers have a pool of their own in this version."""
    if settings.flag("disable_hybrid_swa_memory"):
        return False
    first = WINDOW_POOLS.get(model.architecture)
    return first is not None and is_since(version, first)


def cell(model: ModelFacts, settings: Settings, version: str, stage: int = 0) -> Cell:
    """What a token costs on one rank of a pipeline stage. Raises UnmodelledError."""
    if model.family == "deepseek_v4":
        from servespec.engines.sglang.compressed import compressed_cell

        return compressed_cell(model, settings, version, stage)
    mine = stage_layers(model.layers, settings.integer("pp_size"), version)[stage]
    ranks = Ranks.of(settings)
    dtype = str(settings.value("kv_cache_dtype"))
    split_windows = has_window_pool(model, settings, version)
    full = window = full_layers = 0
    for layers in model.kv:
        if layers.part is Part.mtp or layers.kind is KVKind.recurrent:
            continue
        here = sum(layer in mine for layer in layers.layers)
        size = layer_bytes(layers, ranks.attention, dtype, str(settings.value("dtype")))
        if split_windows and layers.kind in (KVKind.sliding, KVKind.chunked):
            window += here * size
        else:
            full += here * size
            full_layers += here
    full += _draft_bytes(settings, full, full_layers)
    ratio = settings.value("swa_full_tokens_ratio")
    return Cell(
        full_bytes=full,
        full_layers=full_layers,
        window_bytes=window,
        window_ratio=float(ratio) if isinstance(ratio, int | float) else 0.8,
        window_cap=_window_cap(model, settings, version) if window and full_layers else None,
    )


def _window_cap(model: ModelFacts, settings: Settings, version: str) -> int | None:
    """Tokens of a sliding-window pool sized for ``max_running_requests``, where nothing is kept for later requests."""
    if not is_since(version, CAP_BY_REQUESTS) or not settings.flag("disable_radix_cache"):
        return None
    windows = [layers.window for layers in model.kv if layers.window]
    return request_cap(settings, max(windows)) if windows else None


def request_cap(settings: Settings, window: int) -> int | None:
    """Window tokens that ``max_running_requests`` requests hold at worst (compute_swa_request_cap), whole pages.

    None where the number of requests is not given, or prompts are not prefilled in chunks.
    """
    requests, chunk = settings.value("max_running_requests"), settings.integer("chunked_prefill_size")
    if not isinstance(requests, int) or chunk <= 0:
        return None
    ranks, page = Ranks.of(settings), settings.integer("page_size")
    drafts = settings.value("speculative_num_draft_tokens")
    trailing = window + EVICTION_INTERVAL * (drafts if isinstance(drafts, int) else 1) + page
    running = max(1, requests // (ranks.tensor // ranks.attention))
    return round_up((trailing + page) * running + CHUNKS_IN_FLIGHT * chunk + page, page)


def layer_bytes(layers: KVLayers, attention_ranks: int, dtype: str, model_dtype: str) -> int:
    """Bytes that one layer keeps for a token on one rank."""
    elements = token_elements(layers, attention_ranks)
    if layers.kind is KVKind.indexer:
        # fp8 keys and a float32 scale for each block of 128 (DSATokenToKVPool.index_k_with_scale_buffer).
        return layers.key_dim + layers.key_dim // DSA_QUANT_BLOCK * 4
    if dtype in FP4:
        return elements // 2 + elements // FP4_SCALE_BLOCK
    if dtype == "mxfp8":
        return elements + elements // 32
    return elements * element_bytes(model_dtype if dtype == "auto" else dtype)


def _draft_bytes(settings: Settings, full_bytes: int, layers: int) -> int:
    """Draft layers are taken to keep what the target's do (DefaultPoolConfigurator: EAGLE and STANDALONE)."""
    drafts = settings.value("draft_layers")
    return int(full_bytes * drafts / layers) if isinstance(drafts, int) and layers else 0


def tokens_in(space_bytes: int, model: ModelFacts, settings: Settings, version: str) -> int:
    """Tokens that a fixed space holds on the rank with the most to keep."""
    stages = range(settings.integer("pp_size"))
    return min(
        cell(model, settings, version, stage).tokens(space_bytes, settings.integer("page_size"))
        for stage in stages
    )
