"""The phases put together: the largest decides, what persists is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.activation.forward import (
    COMPILED_EXTRA_BYTES,
    CUBLAS_WORKSPACE_BYTES,
    attention_term,
    mlp_term,
)
from servespec.engines.vllm.activation.persistent import (
    WORKSPACE_MANAGER,
    expert_workspace_term,
    images_term,
)
from servespec.engines.vllm.activation.sampler import sampler_term
from servespec.engines.vllm.activation.shape import ProfileShape, profile_shape
from servespec.engines.vllm.activation.vision import vision_term
from servespec.memory.budget import Term

if TYPE_CHECKING:
    from servespec.deployment import Deployment


def activation_term(deployment: Deployment) -> Term:
    """The activation peak of the profile run on one rank, in bytes, with its phases as parts."""
    shape = profile_shape(deployment)
    model = deployment.model
    workspace = CUBLAS_WORKSPACE_BYTES if shape.dense_gemm_runs else 0
    compiled = 0 if shape.eager else COMPILED_EXTRA_BYTES
    experts = expert_workspace_term(shape, model)
    images = images_term(deployment, shape)
    kept = images.size_bytes if images else 0
    if experts is not None and shape.release >= WORKSPACE_MANAGER:
        kept += experts.size_bytes
    phases = [
        _phase(attention_term(shape, model), kept + workspace),
        _phase(sampler_term(shape), kept + CUBLAS_WORKSPACE_BYTES),
    ]
    if shape.intermediate_size:
        phases.append(_phase(mlp_term(shape, model), kept + workspace + compiled))
    if experts is not None:
        hidden = 3 * shape.tokens * shape.hidden_size * shape.element_bytes
        transient = 0 if shape.release >= WORKSPACE_MANAGER else experts.size_bytes
        phases.append(_phase(experts, kept + transient - experts.size_bytes + hidden + workspace + compiled))
    tower = vision_term(deployment, shape)
    if tower is not None:
        phases.append(_phase(tower, (images.size_bytes if images else 0) + workspace))
    peak = max(phases, key=lambda phase: phase.size_bytes)
    return Term(
        "activation",
        peak.size_bytes,
        f"{peak.name}: {peak.formula}",
        peak.source,
        peak.numbers,
        uncertainty_bytes=_uncertainty(shape, peak),
        parts=tuple(phases),
    )


def _phase(term: Term, kept_bytes: int) -> Term:
    """The phase with what is alive beside it."""
    if not kept_bytes:
        return term
    return Term(
        term.name,
        term.size_bytes + kept_bytes,
        f"{term.formula} + {kept_bytes / 2**20:,.0f} MiB kept",
        term.source,
        f"{term.numbers} + {kept_bytes:,}",
    )


def _uncertainty(shape: ProfileShape, peak: Term) -> int:
    """From the residuals of the measured rows: 0.2 % in eager mode of the releases measured, 3 % compiled or older."""
    share = 0.002 if shape.eager and shape.release >= (0, 17) else 0.03
    return int(peak.size_bytes * share) + 8 * 2**20
