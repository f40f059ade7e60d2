"""What a start-up log says, in the words of the memory budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Figures read off a log; None where it does not print them. Bytes are exact conversions of what is printed."""

    engine: str
    version: str | None = None
    weights_bytes: int | None = None
    activation_bytes: int | None = None
    non_torch_bytes: int | None = None
    cuda_graph_estimate_bytes: int | None = None
    """What the engine subtracts for graphs before it sizes the KV cache; ``cuda_graph_bytes``: what they took."""
    cuda_graph_bytes: int | None = None
    kv_cache_bytes: int | None = None
    kv_tokens: int | None = None
    num_blocks: int | None = None
    block_size: int | None = None
    max_concurrency: float | None = None
    max_model_len: int | None = None
    estimated_max_model_len: int | None = None
    ready: bool = False
    refusal: str | None = None
    refusal_kind: str | None = None
    precision: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Half a unit of the last digit printed, by field and in its unit; a field that is not in it is exact."""
    ranks: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    """The same fields by worker (``Worker_TP0``, ``TP0``), where more than one says what it holds."""


class LogReader(Protocol):
    """Reads a log as it grows."""

    def feed(self, line: str) -> str | None:
        """Take one line; returns the phase that begins with it (``loading weights``), if any."""
        ...

    def observed(self) -> Observed:
        """All that the lines so far say."""
        ...
