"""From bytes to blocks, tokens, concurrency, and the longest context that fits.

Source: vllm/v1/core/kv_cache_utils.py, get_kv_cache_configs and what it calls; for V0
vllm/worker/worker.py determine_num_available_blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.groups import Group, group_layers, pool_bytes_per_block
from servespec.engines.vllm.kv.layers import Request, layer_specs
from servespec.engines.vllm.policies import (
    NULL_BLOCK_IS_RESERVED,
    TOKENS_FROM_CONCURRENCY,
    WINDOW_COUNTS_IN_FLIGHT,
)
from servespec.memory.remembered import remembered
from servespec.models.facts import KVKind
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment


@dataclass(frozen=True)
class Capacity:
    """The KV cache of one pipeline stage, as blocks of a shared pool."""

    version: str
    is_v0: bool
    groups: tuple[Group, ...]
    stage_groups: tuple[Group, ...]
    request: Request

    @cached_property
    def bytes_per_block(self) -> int:
        """Bytes of one block on this stage."""
        return pool_bytes_per_block(self.stage_groups)

    @cached_property
    def blocks_per_request(self) -> int:
        """Blocks that one request of max_model_len tokens takes, over all groups."""
        return self.blocks_for(self.request)

    def blocks_for(self, request: Request) -> int:
        """Blocks that one request takes, over all groups."""
        return sum(max(map(request.blocks, group.specs)) for group in self.groups)

    @property
    def needed_bytes(self) -> int:
        """KV bytes that one request of max_model_len tokens needs: what the engine checks at start."""
        return self.bytes_per_block * (self.blocks_per_request + self.reserved_blocks)

    @property
    def reserved_blocks(self) -> int:
        """The null block that recent versions hold back before they check."""
        return 1 if holds(NULL_BLOCK_IS_RESERVED, self.version) else 0

    def num_blocks(self, kv_bytes: int) -> int:
        """Blocks that fit into ``kv_bytes``."""
        if not self.bytes_per_block:
            return 1
        return max(0, kv_bytes // self.bytes_per_block)

    def max_concurrency(self, num_blocks: int) -> float:
        """Requests of max_model_len tokens that fit at a time."""
        return num_blocks / self.blocks_per_request if self.blocks_per_request else 0.0

    def printed_tokens(self, num_blocks: int) -> int:
        """The figure of "GPU KV cache size: N tokens" (V0: # GPU blocks × block size)."""
        if not self.groups:
            return 0
        if holds(TOKENS_FROM_CONCURRENCY, self.version):
            return int(self.max_concurrency(num_blocks) * self.request.max_model_len)
        smallest = min(group.spec.block_size for group in self.groups)
        return num_blocks // len(self.groups) * smallest * self.request.context_parallel

    @property
    def bytes_per_token(self) -> float:
        """Average cost of a token of a request of max_model_len tokens on this stage."""
        return self.bytes_per_block * self.blocks_per_request / self.request.max_model_len

    def longest_context(self, kv_bytes: int) -> int:
        """_estimate_max_model_len_from_groups: binary search up to max_model_len; 0 if nothing fits."""
        return self._search(kv_bytes, self.request.max_model_len)

    def _search(self, kv_bytes: int, upper: int) -> int:
        available = self.num_blocks(kv_bytes) - self.reserved_blocks
        if upper == self.request.max_model_len and self.blocks_per_request <= available:
            return upper
        low, high, best = 1, upper, 0
        while low <= high:
            middle = (low + high) // 2
            request = Request(
                max_model_len=middle,
                in_flight_tokens=self.request.in_flight_tokens,
                context_parallel=self.request.context_parallel,
                encoder_tokens=self.request.encoder_tokens,
            )
            if self.blocks_for(request) <= available:
                best, low = middle, middle + 1
            else:
                high = middle - 1
        return best


def capacity(deployment: Deployment, stage_layers: range) -> Capacity:
    """The KV cache of the stage that holds ``stage_layers``. Raises UnmodelledError."""
    groups = _groups(deployment, 0)
    stage_groups = tuple(group.within(stage_layers) for group in groups)
    return Capacity(
        version=deployment.version,
        is_v0=deployment.settings.value("engine") == "v0",
        groups=groups,
        stage_groups=stage_groups,
        request=longest_request(deployment, deployment.settings.integer("max_model_len")),
    )


@remembered
def _groups(deployment: Deployment, _stage: int) -> tuple[Group, ...]:
    """The groups of the whole model, whatever the stage: the same for GPUs that keep the cache alike."""
    return group_layers(deployment, layer_specs(deployment))


def longest_request(deployment: Deployment, max_model_len: int) -> Request:
    """A request of ``max_model_len`` tokens under the deployment's batch limits."""
    settings = deployment.settings
    batches = 1
    if holds(WINDOW_COUNTS_IN_FLIGHT, deployment.version):
        stages = settings.integer("pipeline_parallel_size")
        is_v2 = settings.value("model_runner") == "v2"
        batches = stages
        if settings.flag("async_scheduling") and (is_v2 or stages == 1):
            batches = stages + 1
    context = settings.integer("decode_context_parallel_size")
    prefill = settings.value("prefill_context_parallel_size")
    return Request(
        max_model_len=max_model_len,
        in_flight_tokens=batches * settings.integer("max_num_batched_tokens"),
        context_parallel=context * (prefill if isinstance(prefill, int) else 1),
        encoder_tokens=_encoder_tokens(deployment),
    )


def _encoder_tokens(deployment: Deployment) -> int:
    """Tokens of an encoder's output that cross-attention keeps (max_num_encoder_input_tokens)."""
    if not any(kept.kind is KVKind.cross for kept in deployment.model.kv):
        return 0
    given = deployment.model.extra.get("max_source_positions")
    return int(given) if given is not None else deployment.settings.integer("max_num_batched_tokens")
