"""What divides what, for rules about parallel ranks."""

from __future__ import annotations

from collections.abc import Sequence

from servespec.rules.subject import Subject


def allowed_ranks(heads: int, subject: Subject) -> tuple[int, ...]:
    """Tensor-parallel sizes that divide ``heads`` and fit on the spec's GPUs."""
    gpus = max(1, subject.spec.hardware.count * subject.spec.hardware.nodes)
    return tuple(size for size in range(1, min(heads, max(gpus, 8)) + 1) if heads % size == 0)


def listed(values: Sequence[int]) -> str:
    """Numbers as people write a list: ``1, 2 or 4``."""
    words = [f"{value:,}" for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
