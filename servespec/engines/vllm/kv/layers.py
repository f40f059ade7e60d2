"""What each layer keeps, as vLLM's KVCacheSpec: kind, block size, page bytes, window.

Source: vllm/v1/kv_cache_interface.py; the attention layers' get_kv_cache_spec.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.formats import page_bytes, recurrent_page_bytes
from servespec.engines.vllm.kv.hybrid import attention_block_size
from servespec.engines.vllm.kv.turboquant import layer_cache_dtypes
from servespec.engines.vllm.placement import loads_mtp
from servespec.engines.vllm.speculative import draft_deployment, draft_tokens
from servespec.memory.shards import ceil_div
from servespec.models.facts import KVKind, KVLayers, Part
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

FULL_KINDS = frozenset({KVKind.full, KVKind.latent, KVKind.indexer})
"""Kinds whose spec derives from FullAttentionSpec: they keep every token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """KVCacheSpec of one layer: ``page_bytes`` for ``block_size`` tokens (or one recurrent state)."""

    kind: KVKind
    block_size: int
    page_bytes: int
    window: int | None = None
    states_per_request: int = 1

    def with_page(self, page_bytes: int) -> LayerSpec:
        """The spec grown to a larger page: more tokens where that divides, else padded."""
        if self.kind is not KVKind.recurrent and page_bytes % self.page_bytes == 0:
            ratio = page_bytes // self.page_bytes
            return replace(self, block_size=self.block_size * ratio, page_bytes=page_bytes)
        return self.with_padding(page_bytes)

    def with_padding(self, page_bytes: int) -> LayerSpec:
        """The spec in a larger page, for as many tokens."""
        return replace(self, page_bytes=page_bytes)

    def as_full(self) -> LayerSpec:
        """The spec when the hybrid manager is off: blocks for every token."""
        if self.kind in (KVKind.sliding, KVKind.chunked):
            return replace(self, kind=KVKind.full, window=None)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request at its longest, and what else is in flight."""

    max_model_len: int
    in_flight_tokens: int
    context_parallel: int = 1
    encoder_tokens: int = 0

    def blocks(self, spec: LayerSpec) -> int:
        """Blocks of one layer that the request may hold at a time."""
        if spec.kind is KVKind.recurrent:
            return spec.states_per_request or ceil_div(self.max_model_len, spec.block_size)
        if spec.kind is KVKind.cross:
            return ceil_div(self.encoder_tokens, spec.block_size)
        if spec.kind is KVKind.sliding and spec.window is not None:
            tokens = min(spec.window - 1 + self.in_flight_tokens, self.max_model_len)
            return ceil_div(tokens, spec.block_size) + 1
        if spec.kind is KVKind.chunked and spec.window is not None:
            tokens = min(spec.window + self.in_flight_tokens, self.max_model_len)
            return ceil_div(tokens, spec.block_size)
        return ceil_div(ceil_div(self.max_model_len, self.context_parallel), spec.block_size)


def layer_specs(deployment: Deployment) -> tuple[tuple[int, LayerSpec], ...]:
    """(layer, spec) of every layer that keeps something, in the order of the layers, a draft's at the end.

    Raises UnmodelledError for a cache type that has no known size.
    """
    block_size, padded_page = attention_block_size(deployment)
    found: list[tuple[int, LayerSpec]] = []
    for kept in deployment.model.kv:
        if kept.part is not Part.decoder and not _drafts(deployment, kept):
            continue
        dtypes = layer_cache_dtypes(deployment, kept)
        specs = {
            dtype: _spec(deployment, kept, block_size, padded_page, dtype) for dtype in dict.fromkeys(dtypes)
        }
        found.extend((layer, specs[dtype]) for layer, dtype in zip(kept.layers, dtypes, strict=True))
    found.sort(key=lambda item: item[0])
    draft = draft_deployment(deployment)
    if draft is not None:
        after = deployment.model.layers
        found.extend((after + layer, spec) for layer, spec in layer_specs(draft))
    return tuple(found)


def _drafts(deployment: Deployment, kept: KVLayers) -> bool:
    """Whether multi-token prediction layers are loaded, and so keep a cache of their own."""
    return kept.part is Part.mtp and loads_mtp(deployment)


def _spec(
    deployment: Deployment, kept: KVLayers, block_size: int, padded_page: int | None, cache_dtype: str
) -> LayerSpec:
    if any(other.compress_ratio > 1 for other in deployment.model.kv):
        from servespec.engines.vllm.kv.compressed import compressed_spec

        return compressed_spec(deployment, kept)
    if kept.kind is KVKind.recurrent:
        return LayerSpec(
            kind=kept.kind,
            block_size=_state_block_size(deployment, block_size),
            page_bytes=max(recurrent_page_bytes(deployment, kept), padded_page or 0),
            states_per_request=_states_per_request(deployment, kept),
        )
    return LayerSpec(
        kind=kept.kind,
        block_size=block_size,
        page_bytes=page_bytes(deployment, kept, block_size, cache_dtype),
        window=kept.window,
    )


def _state_block_size(deployment: Deployment, block_size: int) -> int:
    """mamba_block_size: the attention's with prefix caching, else a whole request."""
    if deployment.settings.value("mamba_cache_mode") in ("all", "align"):
        return block_size
    return deployment.settings.integer("max_model_len")


def _states_per_request(deployment: Deployment, kept: KVLayers) -> int:
    """MambaSpec.max_memory_usage_bytes: one state, two with prefix caching, one more a draft token.

    0 where every block has a state of its own (mode ``all``).
    """
    extra = draft_tokens(deployment)
    mode = deployment.settings.value("mamba_cache_mode")
    if mode == "all":
        return 0
    return (2 + _checkpoint_blocks(deployment, kept) if mode == "align" else 1) + extra


def _checkpoint_blocks(deployment: Deployment, kept: KVLayers) -> int:
    """One more state where a prefill may export one halfway (num_prefill_checkpoint_blocks).

    mamba_mixer2.py since 0.32; gdn/qwen_gdn_linear_attn.py since 0.33, where FlashInfer runs the prefill (Hopper).
    """
    if kept.state_type == "mamba2":
        return int(holds(">=0.32", deployment.version))
    return int(kept.state_type == "gdn" and exports_gated_delta_states(deployment))


def exports_gated_delta_states(deployment: Deployment) -> bool:
    """Whether FlashInfer's gated delta net exports states inside a prefill."""
    return holds(">=0.33", deployment.version) and deployment.gpu.compute_capability == (9, 0)
