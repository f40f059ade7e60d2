"""Whether a release of vLLM has a model for an architecture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from servespec.diagnostics import Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject
from servespec.rules.versions import holds

FALLBACK_SINCE = "0.7.2"
"""The first release that runs other architectures by Transformers' classes: TransformersModel in its registry."""


@cache
def _registry() -> Mapping[str, tuple[str | None, str | None]]:
    """Architecture → (first release, None: in the oldest already; first release without it, None: still there)."""
    data = json.loads(Path(__file__).with_name("architectures.json").read_bytes())
    return {name: (since, until) for name, (since, until) in data["architectures"].items()}


def is_in_registry(name: str, version: str) -> bool:
    """Whether the release has a model class for the architecture."""
    found = _registry().get(name)
    if found is None:
        return False
    since, until = found
    return not (since and holds(f"<{since}", version)) and not (until and holds(f">={until}", version))


@rule(
    code="SV329",
    name="vllm-architecture-unknown",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.6",
    summary="This release of vLLM has no model of its own for the architecture.",
    explanation="Before 0.7.2 such a model is refused. Later releases try Transformers' classes: that "
    "works for plain models that the Transformers beside vLLM knows, slower and without much that the own "
    "model has; a multimodal model may come up as a text model. It is then a warning.",
    error_text="Model architectures ['A'] are not supported for now. Supported architectures: ...",
    fix="Take a release that has the model.",
    source="vllm/model_executor/models/registry.py of every release: scripts/vllm_architectures.py",
)
def architecture_unknown(subject: Subject) -> Iterable[Finding]:
    """The architecture is not in the release's registry."""
    name, version = subject.model.architecture, subject.version
    found = _registry().get(name)
    if found is None:
        story = "no release that is known has one"
    else:
        since, until = found
        if since and holds(f"<{since}", version):
            story = f"it came in {since}"
        elif until and holds(f">={until}", version):
            story = f"it was removed in {until}"
        else:
            return
    falls_back = holds(f">={FALLBACK_SINCE}", version)
    tail = "; Transformers' classes are tried" if falls_back else ""
    yield Finding(
        message=f"vLLM {version} has no model for {name}: {story}{tail}",
        key="targets.vllm.version" if "targets" in subject.words else "model.id",
        severity=Severity.warning if falls_back else Severity.error,
    )
