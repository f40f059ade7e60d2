"""Slots for LoRA adapters, reserved at load: max_loras × max_lora_rank for every module that takes one.

Source: vllm/lora/layers/*.py create_lora_weights (lora_a_stacked, lora_b_stacked), punica_wrapper;
to 0.1 MiB on h200-vllm-0.25.1 (rank 16 × 1 adapter: 92,843,008 bytes on Llama-3.1-8B).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from servespec.engines.vllm.weights.modules import Module
from servespec.memory.elements import element_bytes
from servespec.memory.shards import ceil_div
from servespec.models.facts import Part, Split, TensorKind
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

EXPERT_ADAPTERS = ">=0.11.1"
"""vllm/lora/layers/fused_moe.py: experts take adapters from here on."""

EMBEDDING_FAMILIES = frozenset({"llama", "mixtral", "granite", "phi"})
"""Families whose embeddings and output layer take adapters (embedding_modules of the model classes)."""


def adapter_sizes(deployment: Deployment, modules: tuple[Module, ...]) -> Iterator[int]:
    """Bytes of each tensor that holds adapter slots, and of the mapping buffers; none without LoRA."""
    settings = deployment.settings
    if not settings.flag("enable_lora"):
        return
    slots, rank = settings.integer("max_loras"), settings.integer("max_lora_rank")
    size = element_bytes(str(settings.value("dtype")))
    for module in modules:
        for elements in _elements(deployment, module):
            yield slots * rank * elements * size
    yield from _mapping_buffers(settings.integer("max_num_batched_tokens"), settings.integer("max_num_seqs"))


def _elements(deployment: Deployment, module: Module) -> Iterator[int]:
    """Elements for one adapter of rank 1: an A of the inputs for each slice, a B of its outputs."""
    if module.part is not Part.decoder or not module.name.endswith(("weight", "w13_weight", "w2_weight")):
        return
    if module.kind in (TensorKind.embedding, TensorKind.lm_head):
        if _embeddings_take_adapters(deployment):
            yield from (module.inputs, module.outputs)
        return
    if module.kind is TensorKind.expert and not holds(EXPERT_ADAPTERS, deployment.version):
        return
    if module.kind not in (TensorKind.linear, TensorKind.expert):
        return
    ranks = deployment.settings.integer("tensor_parallel_size")
    shard = ranks if deployment.settings.flag("fully_sharded_loras") else 1
    for piece in module.pieces:
        outputs, inputs = piece.shape[0], piece.shape[-1]
        # a fully sharded A is split by rank over the ranks; the B of a row-parallel layer by outputs
        yield piece.experts * ceil_div(inputs, 1 if piece.split is Split.columns else shard)
        yield piece.experts * ceil_div(outputs, shard if piece.split is Split.columns else 1)


def _embeddings_take_adapters(deployment: Deployment) -> bool:
    family = deployment.model.family
    architecture = deployment.model.architecture
    return family in EMBEDDING_FAMILIES and not architecture.startswith("Qwen")


def _mapping_buffers(tokens: int, sequences: int) -> Iterator[int]:
    """punica_wrapper/punica_base.py (int64 for each token, five times), ops/triton_ops/lora_kernel_metadata.py."""
    yield from (tokens * 8, tokens * 8, tokens * 8, 2 * tokens * 8)
    for length in (tokens, sequences):
        yield from (length * 4, length * 4, 4, 4, 4)
