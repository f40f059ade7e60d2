"""Which layers and parts of a model one rank loads.

Source: vllm/distributed/utils.py get_pp_indices; vllm/config/model.py and multimodal.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from servespec.models.facts import Part, Stage, TensorGroup, TensorKind
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

SPREADS_LEFT_OVER = ">=0.8"

MTP_METHODS = frozenset({"mtp", "deepseek_mtp", "qwen3_next_mtp", "glm4_moe_mtp", "mimo_mtp", "ernie_mtp"})


@lru_cache(maxsize=1024)
def stage_layers(layers: int, stages: int, version: str) -> tuple[range, ...]:
    """The decoder layers of each pipeline stage.

    Layers left over go to the last stages but the very last, from the back
    (get_pp_indices; the first stage is spared too as long as it can be). Before 0.8 the last stage had them all.
    """
    counts = [layers // stages] * stages
    if holds(SPREADS_LEFT_OVER, version):
        for index in range(2, layers % stages + 2):
            counts[-index] += 1
    else:
        counts[-1] += layers % stages
    starts = [sum(counts[:index]) for index in range(stages)]
    return tuple(range(start, start + count) for start, count in zip(starts, counts, strict=True))


def loads_mtp(deployment: Deployment) -> bool:
    """Whether the checkpoint's multi-token prediction layers are loaded, as a drafter."""
    speculative = deployment.settings.value("speculative_config")
    if not isinstance(speculative, Mapping):
        return False
    return str(speculative.get("method", "")) in MTP_METHODS


def loads_towers(deployment: Deployment) -> bool:
    """Whether vision and audio towers are loaded: not for language_model_only, nor with limits of 0."""
    if deployment.settings.flag("language_model_only"):
        return False
    limits = deployment.settings.value("limit_mm_per_prompt")
    if not isinstance(limits, Mapping) or not limits:
        return True
    counts = [_limit(limits.get(modality)) for modality in ("image", "video", "audio")]
    given = [count for count in counts if count is not None]
    modalities = 1 + deployment.model.has_audio + (deployment.model.vision is not None)
    return not (len(given) >= min(2, modalities) and all(count == 0 for count in given))


def _limit(value: object) -> int | None:
    if isinstance(value, Mapping):
        value = value.get("count")
    return value if isinstance(value, int) else None


def loaded_groups(deployment: Deployment, stage: int) -> tuple[tuple[TensorGroup, int], ...]:
    """(group, number of its layers on this stage) of everything that the stage loads.

    A group outside the decoder's layers counts once. Tied embeddings are loaded once where the first
    and the last stage are one, and again on the last stage where they are not.
    """
    model, settings = deployment.model, deployment.settings
    stages = settings.integer("pipeline_parallel_size")
    mine = stage_layers(model.layers, stages, deployment.version)[stage]
    found: list[tuple[TensorGroup, int]] = []
    for group in model.tensors:
        if group.part is Part.mtp:
            if loads_mtp(deployment) and stage == stages - 1:
                found.append((group, max(1, len(group.layers))))
        elif group.part is not Part.decoder and not loads_towers(deployment):
            continue
        elif group.layers:
            count = sum(layer in mine for layer in group.layers)
            if count:
                found.append((group, count))
        elif _is_on_stage(group, model.tied_embeddings, stage, stages):
            found.append((group, 1))
    return tuple(found)


def _is_on_stage(group: TensorGroup, tied: bool, stage: int, stages: int) -> bool:
    is_first, is_last = stage == 0, stage == stages - 1
    if group.kind is TensorKind.lm_head and tied:
        return is_last and not is_first
    if group.stage is Stage.every:
        return True
    if group.kind is TensorKind.embedding and tied and is_last:
        return True
    return is_last if group.stage is Stage.last else is_first
