"""Bytes of one page of one layer, by cache type.

Source: vllm/v1/kv_cache_interface.py (AttentionSpec.page_size_bytes, MLAAttentionSpec) and
vllm/utils/torch_utils.py (STR_DTYPE_TO_TORCH_DTYPE).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.turboquant import PRESETS, slot_bytes
from servespec.engines.vllm.latent import as_kept
from servespec.engines.vllm.speculative import draft_tokens
from servespec.errors import UnmodelledError
from servespec.memory.elements import element_bytes
from servespec.memory.kv import state_bytes, token_elements
from servespec.memory.shards import heads_per_rank, round_up
from servespec.models.facts import KVKind, KVLayers, StateTensor
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

ONE_BYTE = frozenset({"fp8", "fp8_e4m3", "fp8_e5m2", "fp8_inc", "int8", "uint8"})

# FlashMLA's layout of a DeepSeek-V3.2 token: 512 fp8 + 4 float32 scales + 64 bfloat16 rope.
FP8_DS_MLA_TOKEN_BYTES = 656

# vllm 0.7.2 and 0.7.3 worker/cache_engine.py (VLLM_MLA_CUDA_MEM_ALIGN_KV_CACHE): a latent token ends on 256 bytes;
# 34,560 bytes a token for DeepSeek-Coder-V2-Lite and 78,080 for DeepSeek-R1 in two published logs.
ALIGNED_LATENT = ">=0.7.2,<0.8"
LATENT_ALIGNMENT_BYTES = 256

PER_TOKEN_HEAD_BITS = {"fp8_per_token_head": 8, "int8_per_token_head": 8, "int4_per_token_head": 4}


def page_bytes(
    deployment: Deployment, kept: KVLayers, block_size: int, cache_dtype: str | None = None
) -> int:
    """Bytes that one layer keeps for ``block_size`` tokens on one rank, in ``cache_dtype`` (else the setting's).

    Raises UnmodelledError.
    """
    kept = as_kept(deployment, kept)
    settings = deployment.settings
    tensor_parallel = settings.integer("tensor_parallel_size")
    cache_dtype = cache_dtype or str(settings.value("kv_cache_dtype") or "auto")
    model_dtype = str(settings.value("dtype"))
    elements = token_elements(kept, tensor_parallel)
    if kept.kind is KVKind.indexer:
        # deepseek_v2.py DeepseekV32IndexerCache: head_dim fp8 bytes and one float32 scale for each 128.
        return block_size * (kept.key_dim + kept.key_dim // 128 * 4)
    if kept.kind is KVKind.latent and cache_dtype == "fp8_ds_mla":
        return block_size * FP8_DS_MLA_TOKEN_BYTES
    if cache_dtype in ("auto", model_dtype):
        token = elements * element_bytes(model_dtype)
        if (
            kept.kind is KVKind.latent
            and deployment.gpu.kind == "cuda"
            and holds(ALIGNED_LATENT, deployment.version)
        ):
            token = round_up(token, LATENT_ALIGNMENT_BYTES)
        return block_size * token
    if cache_dtype in ONE_BYTE:
        return block_size * elements
    if cache_dtype in ("bfloat16", "float16", "float32"):
        return block_size * elements * element_bytes(cache_dtype)
    if cache_dtype in PER_TOKEN_HEAD_BITS:
        heads = heads_per_rank(kept.kv_heads, tensor_parallel)
        # One float32 scale for each token and head, of the key and of the value.
        return block_size * (elements * PER_TOKEN_HEAD_BITS[cache_dtype] // 8 + 2 * heads * 4)
    if cache_dtype.startswith("nvfp4") and cache_dtype != "nvfp4_ds_mla":
        # Packed 4-bit values and one fp8 scale for each 16 of them.
        return block_size * (elements // 2 + elements // 16)
    if cache_dtype in PRESETS and kept.kind is not KVKind.latent:
        return (
            block_size
            * heads_per_rank(kept.kv_heads, tensor_parallel)
            * slot_bytes(cache_dtype, kept.key_dim)
        )
    raise UnmodelledError(f"KV cache type {cache_dtype}")


def recurrent_page_bytes(deployment: Deployment, kept: KVLayers) -> int:
    """Bytes of one layer's state for one sequence on one rank.

    The last tensor of a state is the recurrent one, whose type mamba_ssm_cache_dtype sets; those before it
    (the convolution's) follow mamba_cache_dtype (layers/mamba/mamba_utils.py MambaStateDtypeCalculator).
    """
    settings = deployment.settings
    given = [str(settings.value(name) or "auto") for name in ("mamba_cache_dtype", "mamba_ssm_cache_dtype")]
    *first, last = kept.states
    drafts = draft_tokens(deployment)
    states = [
        *(_with_drafts(state, drafts, state.dtype if given[0] == "auto" else given[0]) for state in first),
        replace(last, dtype=last.dtype if given[1] == "auto" else given[1]),
    ]
    changed = replace(kept, states=tuple(states))
    return state_bytes(changed, settings.integer("tensor_parallel_size"), str(settings.value("dtype")))


def _with_drafts(state: StateTensor, drafts: int, dtype: str | None) -> StateTensor:
    """A convolution's state holds as many inputs more as tokens are drafted (mamba_utils.py, num_spec)."""
    if len(state.shape) != 2 or not drafts:
        return replace(state, dtype=dtype)
    axis = 0 if state.split_axis == 1 else 1
    shape = tuple(size + drafts * (place == axis) for place, size in enumerate(state.shape))
    return replace(state, shape=shape, dtype=dtype)
