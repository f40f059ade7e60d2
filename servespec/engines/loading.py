"""How long a start may take: what start periods, probes and time-outs wait for."""

from __future__ import annotations

from servespec.deployment import Deployment
from servespec.models.facts import ModelFacts
from servespec.models.quantization import by_format, checkpoint_bytes

LOAD_BYTES_PER_SECOND = 100e6
"""Policy: weights come over a link of 1 Gbit/s, which carries about 100 MB/s, or from a disk that is no slower."""
START_SECONDS = 300
"""Policy: what compiling, warming up and capturing graphs may take besides. vLLM's compile caches alone spare
minutes (docs/deployment/docker.md); the engines' own documentation starts probes of big models at 600 s."""


def load_seconds(deployment: Deployment) -> int:
    """The longest that a start should take: the checkpoint over a slow link, and the engine's own preparations."""
    return START_SECONDS + round(model_bytes(deployment.model) / LOAD_BYTES_PER_SECOND)


def model_bytes(model: ModelFacts) -> int:
    """Bytes of the checkpoint: as its headers say, else of all its tensors in their formats."""
    if model.tensor_bytes is not None:
        return model.tensor_bytes
    return sum(
        checkpoint_bytes(part, found, model.dtype)
        for group in model.tensors
        for part, found in by_format(model.quantization, group)
    )
