"""The phases put together: the largest decides, what persists is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.activation.compilation import compilation_term
from servespec.engines.vllm.activation.forward import (
    COMPILED_EXTRA_BYTES,
    attention_term,
    cublas_workspace_bytes,
    mlp_term,
)
from servespec.engines.vllm.activation.persistent import (
    WORKSPACE_MANAGER,
    expert_workspace_term,
    images_term,
)
from servespec.engines.vllm.activation.sampler import (
    SINCE_TRITON_TOP_K_TOP_P,
    sampler_ambiguity_bytes,
    sampler_term,
)
from servespec.engines.vllm.activation.shape import ProfileShape, profile_shape
from servespec.engines.vllm.activation.vision import vision_term
from servespec.memory.budget import Term

if TYPE_CHECKING:
    from servespec.deployment import Deployment

MIB = 2**20


def activation_term(deployment: Deployment) -> Term:
    """The activation peak of the profile run on one rank, in bytes, with its phases as parts."""
    shape = profile_shape(deployment)
    model = deployment.model
    cublas = cublas_workspace_bytes(shape)
    workspace = cublas if shape.dense_gemm_runs else 0
    compiled = 0 if shape.eager else COMPILED_EXTRA_BYTES
    experts = expert_workspace_term(shape, model)
    images = images_term(deployment, shape)
    dummy = images.size_bytes if images else 0
    managed = experts.size_bytes if experts is not None and shape.release >= WORKSPACE_MANAGER else 0
    kept = dummy + managed
    phases = [
        _phase(attention_term(shape, model), kept + workspace),
        _phase(sampler_term(shape), kept + cublas),
    ]
    if shape.intermediate_size:
        beside = kept if shape.mlp_follows_experts else dummy
        phases.append(_phase(mlp_term(shape, model), beside + workspace + compiled))
    if experts is not None:
        hidden = 3 * shape.tokens * shape.hidden_size * shape.element_bytes
        phases.append(_phase(experts, dummy + hidden + workspace + compiled))
    tower = vision_term(deployment, shape)
    if tower is not None:
        phases.append(_phase(tower, dummy + workspace))
    warm = max(phase.size_bytes for phase in phases)
    compilation = compilation_term(shape, model)
    if compilation is not None:
        phases.append(compilation)
    peak = max(phases, key=lambda phase: phase.size_bytes)
    return Term(
        "activation",
        peak.size_bytes,
        f"{peak.name}: {peak.formula}",
        peak.source,
        peak.numbers,
        uncertainty_bytes=_uncertainty(shape, peak) + peak.size_bytes - warm,
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


COMPILED_SPREAD_BYTES = 224 * MIB
"""Residual that 19 of 20 compiled rows keep within (llmd205 on 0.19, whose Granite and Kimi-VL rows are 0.22 off)."""


def _uncertainty(shape: ProfileShape, peak: Term) -> int:
    """From the residuals of the measured rows.

    Eager: 0.2 % in the releases measured, 3 % before, as compiled. Where an older release may sample by FlashInfer or
    by sorting, depending on what is installed, the difference of the two.
    """
    share, fixed = (
        (0.002, 8 * MIB)
        if shape.eager and shape.release >= SINCE_TRITON_TOP_K_TOP_P
        else (0.03, COMPILED_SPREAD_BYTES)
    )
    return int(peak.size_bytes * share) + fixed + sampler_ambiguity_bytes(shape)
