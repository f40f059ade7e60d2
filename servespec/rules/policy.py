"""Cards of what a project's own policy forbids (SV591 to SV593); the findings are made in ``control``."""

from __future__ import annotations

from servespec.diagnostics import Severity
from servespec.rules.base import Card

_WHERE = (
    "The lists are in the table [policy] of servespec.toml, or [tool.servespec.policy] of pyproject.toml."
)

IMAGE_NOT_ALLOWED = Card(
    code="SV591",
    name="image-not-allowed",
    severity=Severity.error,
    summary="The project's policy does not allow this image.",
    explanation=f"Organisations serve from registries that they mirror and scan. {_WHERE}",
    fix="Take an image that matches one of the patterns.",
)
GPU_NOT_ALLOWED = Card(
    code="SV592",
    name="gpu-not-allowed",
    severity=Severity.error,
    summary="The project's policy does not allow this GPU.",
    explanation=f"The GPU is none of those that the project may use. {_WHERE}",
    fix="Take a GPU that matches one of the patterns.",
)
MODEL_NOT_ALLOWED = Card(
    code="SV593",
    name="model-not-allowed",
    severity=Severity.error,
    summary="The project's policy does not allow this model.",
    explanation=f"The model is none of those that were approved. {_WHERE}",
    fix="Take a model that matches one of the patterns.",
)
