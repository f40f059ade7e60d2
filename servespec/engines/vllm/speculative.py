"""Speculative decoding as far as memory goes: the draft model's weights and its layers' cache.

Source: vllm/config/speculative.py, vllm/v1/spec_decode/*.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from servespec.deployment import Deployment, Setting, Settings
from servespec.errors import UnmodelledError
from servespec.models.facts import TensorKind

if TYPE_CHECKING:
    from servespec.models.facts import ModelFacts

NEEDS_DRAFT = frozenset({"draft_model", "eagle", "eagle3", "medusa", "mlp_speculator"})
SHARES_EMBEDDING = frozenset({"eagle", "eagle3"})
SHARES_OUTPUT = frozenset({"eagle"})
ALONE = (
    ("pipeline_parallel_size", 1),
    ("quantization", None),
    ("enable_lora", False),
    ("speculative_config", None),
)


def method_of(deployment: Deployment) -> str | None:
    """The speculative method; None without speculation."""
    speculative = deployment.settings.value("speculative_config")
    if not isinstance(speculative, Mapping):
        return None
    named = speculative.get("method") or speculative.get("model")
    if named in ("ngram", "[ngram]"):  # the model's place may say it (vllm/config/speculative.py)
        return "ngram"
    return str(speculative.get("method") or "draft_model")


def draft_tokens(deployment: Deployment) -> int:
    """Tokens drafted a step; 0 without speculation."""
    speculative = deployment.settings.value("speculative_config")
    tokens = speculative.get("num_speculative_tokens") if isinstance(speculative, Mapping) else 0
    return tokens if isinstance(tokens, int) else 0


def draft_deployment(deployment: Deployment) -> Deployment | None:
    """The draft model as a deployment of its own under the target's settings; None without one.

    It runs on the last pipeline stage, unquantized unless its own checkpoint is. EAGLE drafts share the
    target's embeddings, EAGLE-1 its output layer too. Raises UnmodelledError where its facts are not known.
    """
    method = method_of(deployment)
    if method not in NEEDS_DRAFT:
        return None
    if deployment.draft is None:
        raise UnmodelledError(f"the draft model of speculative method {method}")
    items = dict(deployment.settings.items)
    for name, value in ALONE:
        items[name] = Setting(value=value, source="derived from the draft model")
    return replace(
        deployment,
        model=_without_shared(deployment.draft, method),
        draft=None,
        settings=Settings(items=MappingProxyType(items)),
    )


def _without_shared(draft: ModelFacts, method: str) -> ModelFacts:
    shared = set()
    if method in SHARES_EMBEDDING:
        shared.add(TensorKind.embedding)
    if method in SHARES_OUTPUT:
        shared.add(TensorKind.lm_head)
    return replace(draft, tensors=tuple(group for group in draft.tensors if group.kind not in shared))
