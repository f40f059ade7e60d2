"""The vision tower's own peak, while it encodes the dummy images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.activation.persistent import (
    images_are_profiled,
    images_in_profile,
    tokens_of_largest_image,
)
from servespec.engines.vllm.activation.shape import ProfileShape
from servespec.memory.budget import Term

if TYPE_CHECKING:
    from servespec.deployment import Deployment


def vision_term(deployment: Deployment, shape: ProfileShape) -> Term | None:
    """Patches × (3·hidden + 3·intermediate of the tower): the same liveness as in a decoder layer.

    None for text alone. Not split by tensor parallelism where the tower is replicated, which is taken here:
    the larger answer of the two.
    """
    vision = deployment.model.vision
    if vision is None or not images_are_profiled(deployment):
        return None
    tokens_each = tokens_of_largest_image(vision, shape.runner)
    images = images_in_profile(deployment, shape, tokens_each)
    patches = images * tokens_each * max(1, vision.spatial_merge) ** 2
    elements = 3 * vision.hidden_size + 3 * vision.intermediate_size
    return Term(
        "vision tower",
        patches * elements * shape.element_bytes,
        "patches × (3·hidden + 3·intermediate of the tower) × element bytes",
        "vllm 0.25.1 models/pixtral.py, siglip.py, qwen2_5_vl.py forward",
        f"{patches:,} × (3·{vision.hidden_size:,} + 3·{vision.intermediate_size:,}) × {shape.element_bytes}",
    )
