"""Which model drafts: the one that is named, the checkpoint's own layers, or the target a second time.

Source: SGLang 0.5.23 srt/managers/tp_worker.py (the draft worker takes speculative_draft_model_path, else model_path),
srt/arg_groups/speculative_hook.py _handle_eagle_family.
"""

from __future__ import annotations

from servespec.deployment import Deployment
from servespec.errors import UnmodelledError
from servespec.models.facts import ModelFacts, Part

PATH = "speculative_draft_model_path"
LOADS_A_MODEL = frozenset({"EAGLE", "EAGLE3", "NEXTN", "STANDALONE"})


def drafts_with_target(deployment: Deployment) -> bool:
    """Whether the target's own checkpoint is loaded a second time, as nothing else is there to draft with."""
    algorithm = str(deployment.settings.value("speculative_algorithm")).upper()
    return deployment.settings.value(PATH) is None and drafts_with_own_weights(algorithm, deployment.model)


def drafts_with_own_weights(algorithm: str, model: ModelFacts) -> bool:
    """The same, of an algorithm without a draft's path."""
    return algorithm in LOADS_A_MODEL and (algorithm == "STANDALONE" or not brings_layers(model))


def brings_layers(model: ModelFacts) -> bool:
    """Whether the checkpoint has layers to draft with (multi-token prediction)."""
    return any(group.part is Part.mtp for group in model.tensors) or "mtp_layers_not_counted" in model.extra


def draft_of(deployment: Deployment) -> ModelFacts | None:
    """Facts of the model that is loaded beside the target to draft; None where none is.

    Raises UnmodelledError where one is named whose facts are not known.
    """
    algorithm = str(deployment.settings.value("speculative_algorithm")).upper()
    if algorithm not in LOADS_A_MODEL:
        return None
    if deployment.draft is not None:
        return deployment.draft
    if deployment.settings.value(PATH) is not None and not brings_layers(deployment.model):
        raise UnmodelledError(f"the draft model of speculative_algorithm {algorithm}")
    return deployment.model if drafts_with_target(deployment) else None
