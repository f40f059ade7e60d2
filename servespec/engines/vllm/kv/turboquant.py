"""TurboQuant: keys and values of one token and head packed into a slot, in all but the outermost layers.

Source: vllm/model_executor/layers/quantization/turboquant/config.py, engine/arg_utils.py and
layers/attention/attention.py (_init_turboquant_buffers), since 0.20.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from servespec.memory.shards import ceil_div
from servespec.models.facts import KVKind, KVLayers, Part
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

# Bits of a key's and of a value's element (TQ_PRESETS).
PRESETS = {
    "turboquant_k8v4": (8, 4),
    "turboquant_4bit_nc": (4, 4),
    "turboquant_k3v4_nc": (3, 4),
    "turboquant_3bit_nc": (3, 3),
}
KEY_NORM_BYTES = 2
VALUE_SCALE_AND_ZERO_BYTES = 4
BOUNDARY_LAYERS = 2
KV_SPLITS = 32
"""attention_config.tq_max_kv_splits_for_cuda_graph"""

SHARES_SCRATCH = ">=0.21"
"""Since then the layers decode in one shared workspace (pull request 40798 measures 39.5 GiB less)."""


def slot_bytes(cache_dtype: str, head_dim: int) -> int:
    """Bytes of one head's key and value of one token; fp8 keys have no norm."""
    key_bits, value_bits = PRESETS[cache_dtype]
    key = head_dim if key_bits == 8 else ceil_div(head_dim * key_bits, 8) + KEY_NORM_BYTES
    slot = key + ceil_div(head_dim * value_bits, 8) + VALUE_SCALE_AND_ZERO_BYTES
    return slot + slot % 2


def boundary_layers(layers: int, *, is_hybrid: bool) -> tuple[str, ...]:
    """The first and last two layers keep the model's own type (get_boundary_skip_layers); none of a hybrid."""
    if is_hybrid:
        return ()
    count = min(BOUNDARY_LAYERS, layers // 2)
    return tuple(str(layer) for layer in (*range(count), *range(layers - count, layers)))


def layer_cache_dtypes(deployment: Deployment, kept: KVLayers) -> tuple[str, ...]:
    """The cache type of each of these layers: ``auto`` for those that kv_cache_dtype_skip_layers names."""
    settings = deployment.settings
    skipped = settings.value("kv_cache_dtype_skip_layers")
    named = frozenset(map(str, skipped)) if isinstance(skipped, tuple | list) else frozenset()
    usual = str(settings.value("kv_cache_dtype") or "auto")
    if not named:
        return (usual,) * len(kept.layers)
    if kept.kind is KVKind.sliding and "sliding_window" in named:
        return ("auto",) * len(kept.layers)
    return tuple("auto" if str(layer) in named else usual for layer in kept.layers)


def scratch_buffers(deployment: Deployment, layers: Collection[int | None]) -> Iterator[int]:
    """Buffers that each packed layer made for max_num_seqs decodes at load time, which count as weights."""
    if holds(SHARES_SCRATCH, deployment.version):
        return
    requests = deployment.settings.integer("max_num_seqs")
    heads = ceil_div(deployment.model.attention_heads, deployment.settings.integer("tensor_parallel_size"))
    for kept in deployment.model.kv:
        if kept.part is not Part.decoder or kept.kind is not KVKind.full:
            continue
        for layer, dtype in zip(kept.layers, layer_cache_dtypes(deployment, kept), strict=True):
            if layer in layers and dtype in PRESETS:
                rows = requests * heads * 4  # float32
                yield from (rows * KV_SPLITS * (kept.key_dim + 1), rows * kept.key_dim, rows)
