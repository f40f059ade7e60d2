"""What a family module returns: the part of the facts that only the architecture knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from servespec.models.facts import KVKind, KVLayers, MoE, RopeTable, TensorGroup, Vision
from servespec.models.families.blocks import Dimensions, Layers

Extra = Mapping[str, int | float | str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A checkpoint's tensors and what its layers keep; the rest of ModelFacts is read the same way for all."""

    family: str
    size: Dimensions
    tensors: tuple[TensorGroup, ...]
    kv: tuple[KVLayers, ...]
    rope: tuple[RopeTable, ...] = ()
    tied_embeddings: bool = False
    sliding_window: int | None = None
    moe: MoE | None = None
    vision: Vision | None = None
    has_audio: bool = False
    is_encoder_decoder: bool = False
    context_tokens: int | None = None
    unmodelled: tuple[str, ...] = ()
    extra: Extra = field(default_factory=lambda: MappingProxyType({}))


def full_attention(size: Dimensions, layers: Layers, value_dim: int | None = None) -> KVLayers:
    """Layers that keep keys and values of every token."""
    return KVLayers(
        kind=KVKind.full,
        layers=layers,
        kv_heads=size.kv_heads,
        key_dim=size.head_dim,
        value_dim=size.head_dim if value_dim is None else value_dim,
    )


def windowed(
    size: Dimensions,
    layers: Layers,
    window: int,
    kind: KVKind = KVKind.sliding,
    value_dim: int | None = None,
) -> KVLayers:
    """Layers that keep keys and values of the last ``window`` tokens."""
    return KVLayers(
        kind=kind,
        layers=layers,
        kv_heads=size.kv_heads,
        key_dim=size.head_dim,
        value_dim=size.head_dim if value_dim is None else value_dim,
        window=window,
    )


def attention_layers(
    size: Dimensions, sliding: Layers, window: int | None, value_dim: int | None = None
) -> tuple[KVLayers, ...]:
    """Every layer: those in ``sliding`` keep a window, the others everything."""
    if window is None:
        sliding = ()
    full = tuple(layer for layer in size.every_layer if layer not in set(sliding))
    groups = []
    if full:
        groups.append(full_attention(size, full, value_dim))
    if sliding and window is not None:
        groups.append(windowed(size, sliding, window, value_dim=value_dim))
    return tuple(groups)
