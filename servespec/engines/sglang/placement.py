"""Which tensors one rank of SGLang holds.

Source: distributed/utils.py get_pp_indices; models/*.py (load_weights skips what a rank lacks);
layers/vocab_parallel_embedding.py; layers/dp_attention.py; layers/moe/fused_moe_triton/layer.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from servespec.deployment import Deployment, Settings
from servespec.engines.sglang.versions import is_since
from servespec.models.facts import Part, Stage, TensorGroup, TensorKind
from servespec.recall import by_identity

VOCABULARY_PADDING = 64  # layers/vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE
SPREADS_LEFT_OVER = "0.5.6"

# models/*.py: those that make ParallelLMHead without asking is_last_rank, and their subclasses (0.5.5.post3 to 0.5.23).
OUTPUT_LAYER_ON_EVERY_STAGE = frozenset(
    {
        "ApertusForCausalLM",
        "ArceeForCausalLM",
        "DeciLMForCausalLM",
        "Exaone4ForCausalLM",
        "ExaoneMoEForCausalLM",
        "Glm4MoeForCausalLM",
        "Glm4MoeLiteForCausalLM",
        "GptOssForCausalLM",
        "GraniteMoeHybridForCausalLM",
        "InternLM3ForCausalLM",
        "LlamaForCausalLM",
        "Ministral3ForCausalLM",
        "MistralForCausalLM",
        "MixtralForCausalLM",
        "Phi3ForCausalLM",
        "Qwen2MoeForCausalLM",
        "Qwen3MoeForCausalLM",
    }
)


class Ranks(NamedTuple):
    """How many ranks share attention, experts and everything else."""

    tensor: int
    attention: int
    expert: int
    has_dp_attention: bool

    @staticmethod
    def of(settings: Settings) -> Ranks:
        """From the effective settings. With DP attention, ``dp_size`` groups share the ``tp_size`` ranks."""
        return _ranks(settings)


@by_identity
def _ranks(settings: Settings) -> Ranks:
    """Asked for again by each part of a budget."""
    tensor = max(1, settings.integer("tp_size"))
    data = settings.integer("dp_size") if settings.flag("enable_dp_attention") else 1
    return Ranks(
        tensor=tensor,
        attention=max(1, tensor // max(1, data)),
        expert=max(1, min(tensor, settings.integer("ep_size"))),
        has_dp_attention=data > 1,
    )


@lru_cache(maxsize=1024)
def stage_layers(layers: int, stages: int, version: str) -> tuple[range, ...]:
    """The decoder layers of each pipeline stage: of those left over, the last stages have one more each.

    Before 0.5.6 the very last stage had all of them (distributed/utils.py get_pp_indices of 0.5.5.post3 and 0.5.6).
    """
    each, left = divmod(layers, stages)
    if is_since(version, SPREADS_LEFT_OVER):
        counts = [each] * (stages - left) + [each + 1] * left
    else:
        counts = [each] * (stages - 1) + [each + left]
    starts = [sum(counts[:index]) for index in range(stages)]
    return tuple(range(start, start + count) for start, count in zip(starts, counts, strict=True))


def loads_mtp(settings: Settings) -> bool:
    """Whether the checkpoint's multi-token prediction layers are loaded, as the draft model."""
    return settings.value("speculative_algorithm") in ("NEXTN", "EAGLE")


def loaded(deployment: Deployment, stage: int) -> Iterator[TensorGroup]:
    """The groups of tensors of one stage, each with the layers that lie on it alone."""
    model = deployment.model
    stages = deployment.settings.integer("pp_size")
    mine = stage_layers(model.layers, stages, deployment.version)[stage]
    is_first, is_last = stage == 0, stage == stages - 1
    for group in model.tensors:
        if group.part is Part.mtp:
            if loads_mtp(deployment.settings) and is_last:
                yield group
        elif group.layers:
            here = tuple(layer for layer in group.layers if layer in mine)
            if here:
                yield replace(group, layers=here)
        elif group.kind is TensorKind.lm_head and model.tied_embeddings:
            if is_last and not is_first:
                yield group
        elif (
            (group.kind is TensorKind.lm_head and model.architecture in OUTPUT_LAYER_ON_EVERY_STAGE)
            or group.stage is Stage.every
            or (is_last if group.stage is Stage.last else is_first)
            or (group.kind is TensorKind.embedding and model.tied_embeddings and is_last)
        ):
            yield group
