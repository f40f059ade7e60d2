"""What changed from version to version in how vLLM fills in blanks, as tables.

Every row was read off the source of the release it names (wheels on PyPI), not off release notes.
"""

from __future__ import annotations

from typing import TypeVar

from servespec.rules.versions import holds

T = TypeVar("T")
GIB = 2**30

# vllm/config/cache.py (before 0.10: vllm/config.py), CacheConfig.gpu_memory_utilization.
GPU_MEMORY_UTILIZATION: tuple[tuple[str, float], ...] = ((">=0.20", 0.92), ("<0.20", 0.9))

# vllm/v1/core/kv_cache_utils.py: what "GPU KV cache size: N tokens" counts. Until 0.20.0 it is
# num_blocks // groups * block_size; from 0.20.1 int(max_concurrency * max_model_len).
TOKENS_FROM_CONCURRENCY = ">=0.20.1"

# vllm/v1/kv_cache_interface.py: windows are sized for max_in_flight_tokens (asynchronous scheduling
# keeps two batches in flight) instead of one batch.
WINDOW_COUNTS_IN_FLIGHT = ">=0.26"

# vllm/v1/core/kv_cache_utils.py: the null block is held back before the check for one request.
NULL_BLOCK_IS_RESERVED = ">=0.29"

# vllm/envs.py VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS: False when it came (0.18), True since 0.20.
GRAPH_ESTIMATE_IS_SUBTRACTED = ">=0.20"

# vllm/v1/worker/gpu/model_runner.py profile_cudagraph_memory: model runner V2 returns 0 until 0.28, measures since 0.29.
V2_ESTIMATES_GRAPHS = ">=0.29"

# vllm/v1/worker/gpu/model_runner.py profile_run: model runner V2 encodes no images before.
V2_PROFILES_IMAGES = ">=0.27"

# vllm/config/vllm.py: scheduler_config.async_scheduling None is resolved to on since 0.14.
ASYNC_SCHEDULING_BY_DEFAULT = ">=0.14"

# vllm/v1/core/kv_cache_utils.py, get_kv_cache_groups: groups of the larger count of layers instead
# of the smaller one, when the counts are this close.
GROUP_SIZE_RATIO: tuple[tuple[str, float], ...] = ((">=0.18", 1.5), (">=0.11.1,<0.18", 1.25))

# Engine V1 is the default since 0.8 (VLLM_USE_V1); before it the V0 block manager counts.
ENGINE_V1 = ">=0.8"

# Hybrid KV cache manager: sliding-window and full layers in groups of their own since 0.9.1
# (SchedulerConfig.disable_hybrid_kv_cache_manager); before it all layers count as full attention.
HYBRID_KV_MANAGER = ">=0.9.1"

# vllm/config/vllm.py, _is_default_v2_model_runner_model: architectures on model runner V2.
V2_ARCHITECTURES: tuple[tuple[str, frozenset[str]], ...] = (
    (">=0.22,<0.23", frozenset({"Qwen3ForCausalLM"})),
    (">=0.23,<0.24", frozenset({"LlamaForCausalLM", "MistralForCausalLM", "Qwen3ForCausalLM"})),
    (
        ">=0.24,<0.25",
        frozenset(
            {
                "Qwen3ForCausalLM",
                "DeepseekV2ForCausalLM",
                "Qwen2MoeForCausalLM",
                "GraniteMoeForCausalLM",
                "LlamaForCausalLM",
                "MistralForCausalLM",
            }
        ),
    ),
    (
        ">=0.25,<0.26",
        frozenset({"DeepseekV2ForCausalLM", "Qwen2MoeForCausalLM", "GraniteMoeForCausalLM"}),
    ),
    (
        ">=0.26,<0.29",
        frozenset(
            {
                "DeepseekV2ForCausalLM",
                "GraniteMoeForCausalLM",
                "InklingForCausalLM",
                "InklingForConditionalGeneration",
                "KimiK3ForConditionalGeneration",
                "LongcatFlashNgramForCausalLM",
                "Qwen2MoeForCausalLM",
            }
        ),
    ),
)

# Speculative methods that model runner V2 does not have (_get_v2_model_runner_unsupported_features).
V2_LACKS_METHODS: tuple[tuple[str, frozenset[str]], ...] = (
    ("<0.32", frozenset({"ngram", "ngram_gpu", "suffix", "medusa", "mlp_speculator", "draft_model"})),
    (">=0.32", frozenset({"suffix", "medusa", "mlp_speculator", "custom_class"})),
)


def by_version(table: tuple[tuple[str, T], ...], version: str, otherwise: T) -> T:
    """The value of the first row whose specifier holds for ``version``."""
    for specifier, value in table:
        if holds(specifier, version):
            return value
    return otherwise
