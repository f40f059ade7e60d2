"""One way to serve the model: checkpoint, engine, GPUs, split, KV cache type, context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from servespec.hardware.gpu import GPU
from servespec.models.facts import ModelFacts
from servespec.spec.model import Model, Spec, Target


class Split(NamedTuple):
    """How the model lies over GPUs. ``tensor`` × ``pipeline`` × ``data`` GPUs, evenly over ``nodes``."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    nodes: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tensor * self.pipeline * self.data

    def __str__(self) -> str:
        """As in ``tensor 4 × pipeline 2``; ``one GPU`` where nothing is split."""
        parts = [f"{name} {size}" for name, size in zip(self._fields, self, strict=True) if size > 1]
        return " × ".join(parts) or "one GPU"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One form of the weights: what the spec says of it, its facts, and how it is called in the answer.

    ``is_own`` holds for the spec's own, as it is: everything else is a concession.
    """

    model: Model
    facts: ModelFacts
    title: str
    is_own: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One configuration. ``rank`` orders those that are alike in all that the answer is judged by."""

    checkpoint: Checkpoint
    engine: str
    gpu: GPU
    split: Split
    kv_dtype: str
    max_model_len: int | None
    rank: tuple[int, ...]

    def spec(self, base: Spec, replicas: int = 1) -> Spec:
        """The spec of this configuration; what the plan does not vary stays as it is in ``base``."""
        split = self.split
        hardware = {
            "gpu": self.gpu.name,
            "count": split.gpus // split.nodes,
            "nodes": split.nodes,
            "memory_gib": None,
        }
        parallel = {"tensor": split.tensor, "pipeline": split.pipeline, "data": split.data}
        changes: dict[str, object] = {
            "model": self.checkpoint.model,
            "hardware": base.hardware.model_copy(update=hardware),
            "parallel": base.parallel.model_copy(update=parallel),
            "targets": {self.engine: base.targets.get(self.engine, Target())},
        }
        if self.kv_dtype != base.kv_cache.dtype:
            changes["kv_cache"] = base.kv_cache.model_copy(update={"dtype": self.kv_dtype})
        if self.max_model_len != base.limits.max_model_len:
            changes["limits"] = base.limits.model_copy(update={"max_model_len": self.max_model_len})
        if replicas != base.deploy.replicas:
            changes["deploy"] = base.deploy.model_copy(update={"replicas": replicas})
        return base.model_copy(update=changes)
