"""Which CUDA graphs SGLang captures.

Source: server_args.py of 0.5.10 to 0.5.18 and arg_groups/cuda_graph_hook.py since 0.5.19
(generate_decode_cuda_graph_batch_sizes, generate_prefill_cuda_graph_batch_sizes and the rules that
switch graphs off); model_executor/cuda_graph_runner.py before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from servespec.engines.sglang.versions import is_since
from servespec.models.facts import KVKind, ModelFacts

PREFILL_GRAPHS_BY_DEFAULT = "0.5.10"

# Since 0.5.15 the default backend is ``breakable``, for which MLA, Nemotron-H and DeepSeek-V4 are excepted.
BREAKABLE_BY_DEFAULT = "0.5.15"

# configs/model_config.py, piecewise_cuda_graph_disabled_model_archs of 0.5.10 to 0.5.14.
NO_PIECEWISE = frozenset(
    {"DeepseekV32ForCausalLM", "DeepseekV4ForCausalLM", "Qwen3NextForCausalLM", "GlmMoeDsaForCausalLM"}
)

MOST_SEQUENCES = 8192  # more than any scheduler runs; no such graph fits a GPU

PREFILL_SIZES = (
    *range(4, 33, 4),
    *range(48, 257, 16),
    *range(288, 513, 32),
    *range(576, 1025, 64),
    *range(1280, 4097, 256),
    *range(4608, 65537, 512),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillGraphRules:
    """What decides whether prefill graphs are captured."""

    version: str
    is_cuda: bool
    pp_size: int
    enable_dp_attention: bool
    enable_lora: bool
    enable_torch_compile: bool
    speculates: bool
    has_moe_all_to_all: bool
    offloads: bool


def captures_prefill(model: ModelFacts, rules: PrefillGraphRules) -> bool:
    """Whether prefill CUDA graphs are captured where no flag says so."""
    if not is_since(rules.version, PREFILL_GRAPHS_BY_DEFAULT) or not rules.is_cuda or model.is_multimodal:
        return False
    if is_since(rules.version, BREAKABLE_BY_DEFAULT):
        excepted = model.family in ("nemotron_h", "deepseek_v4") or "NemotronH" in model.architecture
        has_indexer = any(layers.kind is KVKind.indexer for layers in model.kv)
        return not excepted and (not is_mla(model) or has_indexer)
    return model.architecture not in NO_PIECEWISE and not (
        rules.pp_size > 1
        or rules.enable_dp_attention
        or rules.enable_lora
        or rules.enable_torch_compile
        or rules.speculates
        or rules.has_moe_all_to_all
        or rules.offloads
    )


def is_mla(model: ModelFacts) -> bool:
    """Whether attention keeps one latent vector a token."""
    return any(layers.kind is KVKind.latent for layers in model.kv)


@lru_cache(maxsize=256)
def prefill_sizes(largest: int) -> tuple[int, ...]:
    """Batch sizes, in tokens, of the prefill graphs up to ``largest``."""
    return tuple(size for size in PREFILL_SIZES if size <= largest)


@lru_cache(maxsize=256)
def decode_sizes(largest: int, *, speculates: bool) -> tuple[int, ...]:
    """Batch sizes, in sequences, of the decode graphs up to ``largest``."""
    largest = min(largest, MOST_SEQUENCES)
    if speculates:
        sizes = (
            *range(1, 9),
            *range(10, 33, 2),
            *range(40, 65, 4),
            *range(72, 257, 8),
            *range(272, largest + 1, 16),
        )
    else:
        sizes = (1, 2, 4, 8, 12, *range(16, 257, 8), *range(272, 512, 16), *range(512, largest + 1, 32))
    kept = [size for size in sizes if size <= largest]
    if largest not in kept:
        kept.append(largest)
    return tuple(kept)
