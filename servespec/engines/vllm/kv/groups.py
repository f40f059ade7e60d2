"""Layers grouped so that all groups share one pool of equal blocks.

Source: vllm/v1/core/kv_cache_utils.py, get_kv_cache_groups and what it calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.layers import FULL_KINDS, LayerSpec
from servespec.engines.vllm.policies import GROUP_SIZE_RATIO, HYBRID_KV_MANAGER, by_version
from servespec.memory.shards import ceil_div
from servespec.models.facts import KVKind
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

Layers = tuple[tuple[int, LayerSpec], ...]


@dataclass(frozen=True)
class Group:
    """Layers that share a block table. ``pool_bytes`` is set where a block holds more than this group's pages."""

    layers: Layers
    pool_bytes: int = 0

    @property
    def spec(self) -> LayerSpec:
        """The first layer's spec, which stands for the group where all pages are alike."""
        return self.layers[0][1]

    @cached_property
    def specs(self) -> tuple[LayerSpec, ...]:
        """The specs of the layers, one that layers share once."""
        return tuple({id(spec): spec for _, spec in self.layers}.values())

    @cached_property
    def bytes_per_block(self) -> int:
        """Bytes of one block over all layers of the group."""
        return self.pool_bytes or sum(spec.page_bytes for _, spec in self.layers)

    def within(self, layers: range) -> Group:
        """The group's layers on one pipeline stage."""
        mine = tuple(item for item in self.layers if item[0] in layers)
        if len(mine) == len(self.layers):
            return self  # with all that was worked out of it
        return Group(mine, pool_bytes=ceil_div(self.pool_bytes * len(mine), len(self.layers)))


def group_layers(deployment: Deployment, layers: Layers) -> tuple[Group, ...]:
    """The groups of the whole model, before pipeline stages take their layers."""
    if not layers:
        return ()
    if any(kept.compress_ratio > 1 for kept in deployment.model.kv):
        from servespec.engines.vllm.kv.compressed import compressed_groups

        return compressed_groups(deployment, layers)
    if deployment.settings.value("engine") == "v0":
        # the V0 block manager holds every request against all of its tokens, windows or not
        return (Group(tuple((layer, spec.as_full()) for layer, spec in layers)),)
    if _hybrid_manager_is_off(deployment):
        layers = unify_to_full(layers)
    specs = [spec for _, spec in layers]
    if is_uniform_type(specs):
        return (Group(layers),)
    return uniform_page_groups(deployment.version, unify_pages(layers))


def _hybrid_manager_is_off(deployment: Deployment) -> bool:
    return deployment.settings.flag("disable_hybrid_kv_cache_manager") or not holds(
        HYBRID_KV_MANAGER, deployment.version
    )


def unify_to_full(layers: Layers) -> Layers:
    """unify_hybrid_kv_cache_specs: with any full layer, windows count as full attention."""
    if any(spec.kind is KVKind.full for _, spec in layers):
        return tuple((layer, spec.as_full()) for layer, spec in layers)
    return layers


def is_uniform_type(specs: Sequence[LayerSpec]) -> bool:
    """UniformTypeKVCacheSpecs.is_uniform_type: all layers always need the same number of token slots."""
    first = specs[0]
    if any(spec.block_size != first.block_size for spec in specs):
        return False
    if all(spec.kind in FULL_KINDS for spec in specs):
        return True
    if any(spec.kind is not first.kind for spec in specs):
        return False
    if first.kind is KVKind.recurrent:
        return all(spec.page_bytes == first.page_bytes for spec in specs)
    return all(spec.window == first.window for spec in specs)


def unify_pages(layers: Layers) -> Layers:
    """unify_kv_cache_spec_page_size: every page grows to the largest."""
    largest = max(spec.page_bytes for _, spec in layers)
    return tuple(
        (layer, spec if spec.page_bytes == largest else spec.with_page(largest)) for layer, spec in layers
    )


def uniform_page_groups(version: str, layers: Layers) -> tuple[Group, ...]:
    """_get_kv_cache_groups_uniform_page_size: equal counts of layers, every n-th layer of a kind.

    The group size is the smallest count of layers of a kind, or the largest where the counts are
    close; the last group of a kind is padded.
    """
    buckets: dict[LayerSpec, list[tuple[int, LayerSpec]]] = {}
    for layer, spec in layers:
        buckets.setdefault(spec, []).append((layer, spec))
    counts = [len(bucket) for bucket in buckets.values()]
    size = min(counts)
    if max(counts) < size * by_version(GROUP_SIZE_RATIO, version, 0.0):
        size = max(counts)
    groups: list[Group] = []
    for bucket in buckets.values():
        number = ceil_div(len(bucket), size)
        groups.extend(Group(tuple(bucket[index::number])) for index in range(number))
    return tuple(groups)


def pool_bytes_per_block(groups: Sequence[Group]) -> int:
    """Bytes of one block of the shared pool: the largest group's."""
    return max((group.bytes_per_block for group in groups if group.layers), default=0)
