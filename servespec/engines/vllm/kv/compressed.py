"""DeepSeek-V4: windows of latent vectors, compressed vectors, indexer keys and compressor states, packed together.

Source: vllm/models/deepseek_v4/{attention,compressor}.py, v1/attention/backends/mla/sparse_swa.py (pages);
v1/core/kv_cache_utils.py group_and_unify_kv_cache_specs of 0.20–0.28, _get_packed_kv_cache_groups since 0.29.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.groups import Group, Layers
from servespec.engines.vllm.kv.layers import FULL_KINDS, LayerSpec
from servespec.memory.elements import element_bytes
from servespec.memory.shards import ceil_div, round_up
from servespec.models.facts import KVLayers
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

WINDOW_BLOCK_TOKENS = 64  # sparse_swa.py
STATE_BLOCK_TOKENS = {8: 4, 128: 8}  # compressor.py: by the window of what is not yet compressed
LATENT_TOKEN_BYTES = 584  # 448 fp8 + 128 rope in bfloat16 + 8 of scales
PACKED_ALIGNMENT, PLAIN_ALIGNMENT = 576, 512


def compressed_spec(deployment: Deployment, kept: KVLayers) -> LayerSpec:
    """One layer's page: tokens × bytes of a token, rounded up to what the kernels want."""
    packed = deployment.settings.value("kv_cache_dtype") == "fp8_ds_mla"
    alignment = PACKED_ALIGNMENT if packed else PLAIN_ALIGNMENT
    plain = kept.key_dim * element_bytes(str(deployment.settings.value("dtype")))
    token_bytes = kept.token_bytes or (LATENT_TOKEN_BYTES if packed else plain)
    if kept.kind in FULL_KINDS:
        block_size = deployment.settings.integer("block_size")
        states = block_size // kept.compress_ratio
    else:
        window = kept.window or WINDOW_BLOCK_TOKENS
        is_state = kept.state_type == "compressor"
        block_size = states = STATE_BLOCK_TOKENS[window] if is_state else WINDOW_BLOCK_TOKENS
    return LayerSpec(
        kind=kept.kind,
        block_size=block_size,
        page_bytes=round_up(states * token_bytes, alignment),
        window=kept.window,
    )


def compressed_groups(deployment: Deployment, layers: Layers) -> tuple[Group, ...]:
    """Groups of the whole model."""
    buckets = _buckets(layers)
    if holds(">=0.29", deployment.version):
        return _packed(buckets)
    return _tuples(buckets)


def _buckets(layers: Layers) -> list[list[tuple[int, LayerSpec]]]:
    """Layers that need the same number of slots: everything that keeps all tokens first, then each window."""
    found: dict[tuple[bool, int, int], list[tuple[int, LayerSpec]]] = {}
    for layer, spec in layers:
        is_full = spec.kind in FULL_KINDS
        key = (not is_full, spec.block_size, 0 if is_full else spec.window or 0)
        found.setdefault(key, []).append((layer, spec))
    return [found[key] for key in sorted(found)]


def _by_page(bucket: list[tuple[int, LayerSpec]]) -> dict[int, list[tuple[int, LayerSpec]]]:
    pages: dict[int, list[tuple[int, LayerSpec]]] = {}
    for layer, spec in bucket:
        pages.setdefault(spec.page_bytes, []).append((layer, spec))
    return pages


def _repeats(bucket: list[tuple[int, LayerSpec]]) -> int:
    """Layers of the page size that most layers have."""
    return Counter(spec.page_bytes for _, spec in bucket).most_common(1)[0][1]


def _split(bucket: list[tuple[int, LayerSpec]], number: int) -> list[Layers]:
    """Every n-th repeat of the pattern of page sizes."""
    patterns = list(zip(*_by_page(bucket).values(), strict=False))
    return [tuple(item for pattern in patterns[i::number] for item in pattern) for i in range(number)]


def approximate_divisor(values: list[int], lower_bound: int) -> int:
    """The size, from ``lower_bound`` on, to whose multiples the values round up with the least padding."""
    best, least = lower_bound, None
    for size in range(lower_bound, max(values) + 1):
        padding = sum(-value % size for value in values)
        if least is None or padding <= least:
            best, least = size, padding
    return best


def _tuples(buckets: list[list[tuple[int, LayerSpec]]]) -> tuple[Group, ...]:
    """0.20–0.28: windows take the page sizes of the full layers; a block holds one tuple of those for each repeat."""
    full, *windows = buckets
    pages = sorted(_by_page(full))
    size = approximate_divisor([_repeats(bucket) for bucket in buckets], _repeats(full))
    groups: list[Layers] = [tuple(full)]
    for bucket in windows:
        padded = [
            (
                layer,
                spec.with_padding(
                    min((page for page in pages if page >= spec.page_bytes), default=spec.page_bytes)
                ),
            )
            for layer, spec in bucket
        ]
        groups.extend(_split(padded, ceil_div(_repeats(padded), size)))
    slots = max(_repeats(list(group)) for group in groups)
    return tuple(Group(group, pool_bytes=sum(pages) * slots) for group in groups)


def _packed(buckets: list[list[tuple[int, LayerSpec]]]) -> tuple[Group, ...]:
    """Since 0.29: a block is as wide as the widest group; balanced buckets are split into like repeats."""
    balanced = [len({len(layers) for layers in _by_page(bucket).values()}) == 1 for bucket in buckets]
    whole = [
        _repeats(bucket)
        for bucket, even in zip(buckets, balanced, strict=True)
        if even and len(_by_page(bucket)) > 1
    ]
    if not whole:
        return tuple(Group(tuple(bucket)) for bucket in buckets)
    evens = [_repeats(bucket) for bucket, even in zip(buckets, balanced, strict=True) if even]
    size = approximate_divisor(evens, max(whole))
    groups: list[Group] = []
    for bucket, even in zip(buckets, balanced, strict=True):
        number = ceil_div(_repeats(bucket), size) if even else 1
        parts = [tuple(bucket)] if number == 1 else _split(bucket, number)
        groups.extend(Group(part) for part in parts)
    return tuple(groups)
