"""How SGLang turns bytes into a token pool: bytes per token, sliding-window pools, pages.

Source: model_executor/pool_configurator.py of 0.5.10 to 0.5.23 (DefaultPoolConfigurator,
HybridSWAPoolConfigurator); model_executor/model_runner.py profile_max_num_token before;
mem_cache/memory_pool.py for what is allocated.
"""

from __future__ import annotations

from dataclasses import dataclass

from servespec.deployment import Settings
from servespec.engines.sglang.kv_dtype import FP4
from servespec.engines.sglang.placement import Ranks, loads_mtp, stage_layers
from servespec.engines.sglang.versions import is_since
from servespec.memory.elements import element_bytes
from servespec.memory.kv import token_elements
from servespec.models.facts import KVKind, KVLayers, ModelFacts, Part

# configs/model_config.py, is_hybrid_swa_model: since when an architecture has a pool of its own for its
# sliding-window layers. Every other architecture keeps all tokens in all layers.
WINDOW_POOLS = (
    ("Llama4", "0.5.8"),
    ("GptOss", "0.5.8"),
    ("MiMoV2", "0.5.7"),
    ("Step3p5", "0.5.9"),
    ("Gemma4", "0.5.11"),
    ("Laguna", "0.5.11"),
    ("Step3p7", "0.5.14"),
    ("Mellum", "0.5.17"),
    ("Inkling", "0.5.17"),
    ("MuseGlimmer", "0.5.20"),
)

DSA_QUANT_BLOCK = 128  # mem_cache/memory_pool.py, DSATokenToKVPool.quant_block_size
FP4_SCALE_BLOCK = 16  # model_executor/pool_configurator.py, scale_block_size


@dataclass(frozen=True, slots=True)
class Cell:
    """Bytes that a token takes on one rank: in layers that keep all tokens, and in sliding-window pools."""

    full_bytes: int
    window_bytes: int = 0
    window_ratio: float = 0.0
    full_layers: int = 0
    window_layers: int = 0

    @property
    def bytes_per_token(self) -> float:
        """What a token of ``max_total_num_tokens`` costs; a sliding-window pool holds ``window_ratio`` of them."""
        if not self.full_layers:
            return float(self.window_bytes)
        return self.full_bytes + self.window_ratio * self.window_bytes

    def tokens(self, available_bytes: float, page_size: int) -> int:
        """``max_total_num_tokens`` of the pool, whole pages."""
        return max(0, int(available_bytes // self.bytes_per_token)) // page_size * page_size

    def window_tokens(self, tokens: int, page_size: int) -> int:
        """Tokens of the sliding-window pool beside ``tokens`` of the full one."""
        return int(tokens * self.window_ratio) // page_size * page_size

    def pool_bytes(self, tokens: int, page_size: int) -> int:
        """Bytes allocated for the pool: one page more than it has tokens (slot 0 takes padded writes)."""
        if not self.full_layers:
            return (tokens + page_size) * self.window_bytes
        window = (
            (self.window_tokens(tokens, page_size) + page_size) * self.window_bytes
            if self.window_bytes
            else 0
        )
        return (tokens + page_size) * self.full_bytes + window


def has_window_pool(model: ModelFacts, settings: Settings, version: str) -> bool:
    """Whether sliding-window layers have a pool of their own in this version."""
    if settings.flag("disable_hybrid_swa_memory"):
        return False
    return any(
        model.architecture.startswith(name) and is_since(version, first) for name, first in WINDOW_POOLS
    )


def cell(model: ModelFacts, settings: Settings, version: str, stage: int = 0) -> Cell:
    """What a token costs on one rank of a pipeline stage. Raises UnmodelledError."""
    mine = stage_layers(model.layers, settings.integer("pp_size"))[stage]
    ranks = Ranks.of(settings)
    dtype = str(settings.value("kv_cache_dtype"))
    split_windows = has_window_pool(model, settings, version)
    full = window = full_layers = window_layers = 0
    for layers in model.kv:
        if layers.part is Part.mtp or layers.kind is KVKind.recurrent:
            continue
        here = sum(layer in mine for layer in layers.layers)
        size = layer_bytes(layers, ranks.attention, dtype, str(settings.value("dtype")))
        if split_windows and layers.kind in (KVKind.sliding, KVKind.chunked):
            window += here * size
            window_layers += here
        else:
            full += here * size
            full_layers += here
    full += _draft_bytes(model, settings, full, full_layers)
    ratio = settings.value("swa_full_tokens_ratio")
    return Cell(
        full_bytes=full,
        window_bytes=window,
        window_ratio=float(ratio) if isinstance(ratio, int | float) else 0.8,
        full_layers=full_layers,
        window_layers=window_layers,
    )


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


def _draft_bytes(model: ModelFacts, settings: Settings, full_bytes: int, layers: int) -> int:
    """Draft layers keep the same as the target's (pool_configurator.py: EAGLE and STANDALONE)."""
    algorithm = settings.value("speculative_algorithm")
    if algorithm in (None, "NGRAM") or not layers:
        return 0
    drafts = sum(len(kv.layers) for kv in model.kv if kv.part is Part.mtp) if loads_mtp(settings) else 1
    return int(full_bytes * max(1, drafts) / layers)


def tokens_in(space_bytes: int, model: ModelFacts, settings: Settings, version: str) -> int:
    """Tokens that a fixed space holds on the rank with the most to keep."""
    stages = range(settings.integer("pp_size"))
    return min(
        cell(model, settings, version, stage).tokens(space_bytes, settings.integer("page_size"))
        for stage in stages
    )
