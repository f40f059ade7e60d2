"""The weights of one stage, part by part."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from servespec.engines.vllm.placement import stage_layers
from servespec.engines.vllm.speculative import draft_deployment
from servespec.engines.vllm.weights.loading import (
    CUBLAS_WORKSPACE_BYTES,
    allocated_bytes,
    loads_whole_first,
    model_buffers,
    takes_workspace,
    whole_bytes,
)
from servespec.engines.vllm.weights.lora import adapter_sizes
from servespec.engines.vllm.weights.modules import Module, modules
from servespec.engines.vllm.weights.offload import offloaded_bytes
from servespec.engines.vllm.weights.storage import all_stored_sizes
from servespec.memory.budget import Term
from servespec.memory.elements import element_bytes
from servespec.memory.remembered import remembered
from servespec.models.facts import Part, TensorKind

if TYPE_CHECKING:
    from servespec.deployment import Deployment

ALLOCATOR_SOURCE = "PyTorch c10/cuda/CUDACachingAllocator.cpp"
FORMULA = "Σ elements on this rank × bytes as stored"
FORMULAS = {
    "rope tables": "positions × rotary dimensions × element bytes",
    "adapter slots": "max_loras × max_lora_rank × (inputs + outputs) of every module × element bytes",
    "allocator rounding": "blocks that are not split count whole",
}
SOURCES = {"allocator rounding": ALLOCATOR_SOURCE, "adapter slots": "vllm/lora/layers"}
OTHERS = "linear layers and norms"
NAMES = {
    TensorKind.embedding: "embeddings",
    TensorKind.lm_head: "output layer",
    TensorKind.expert: "experts",
}


@remembered
def weights_term(deployment: Deployment, stage: int) -> Term:
    """Bytes of parameters and buffers on one rank of the stage, a draft model's on the last one."""
    stages = deployment.settings.integer("pipeline_parallel_size")
    layers = stage_layers(deployment.model.layers, stages, deployment.version)[stage]
    loaded = modules(deployment, stage, layers)
    parts = _parts(deployment, loaded)
    found = allocated_bytes(deployment, loaded, deployment.model.rope)
    draft = draft_deployment(deployment) if stage == stages - 1 else None
    if draft is not None:
        drafted = modules(draft, 0, range(draft.model.layers))
        parts["draft model"] = sum(_parts(draft, drafted).values())
        found += allocated_bytes(draft, drafted, draft.model.rope)
    total = sum(parts.values())
    if deployment.gpu.kind in ("cuda", "rocm"):
        parts["allocator rounding"] = max(0, found - total)
        total = max(total, found)
    offloaded = min(offloaded_bytes(deployment), parts.get(OTHERS, 0) + parts.get("experts", 0))
    if offloaded:
        parts["offloaded to the host"] = -offloaded
        total -= offloaded
    source = f"vllm {deployment.version} model_executor/layers"
    terms = tuple(
        Term(name, size, FORMULAS.get(name, FORMULA), SOURCES.get(name, source))
        for name, size in parts.items()
        if size
    )
    return Term(
        "weights",
        total,
        FORMULA,
        source,
        " + ".join(f"{term.name} {term.size_bytes / 2**30:.2f} GiB" for term in terms),
        uncertainty_bytes=total // 500,
        parts=terms,
    )


def loading_peak(deployment: Deployment, stage: int, loaded_bytes: int) -> int:
    """The most bytes that the stage holds while it loads; ``loaded_bytes`` are those that stay."""
    if not loads_whole_first(deployment):
        return loaded_bytes
    stages = deployment.settings.integer("pipeline_parallel_size")
    layers = stage_layers(deployment.model.layers, stages, deployment.version)[stage]
    return max(loaded_bytes, whole_bytes(deployment, modules(deployment, stage, layers)))


def _parts(deployment: Deployment, loaded: tuple[Module, ...]) -> dict[str, int]:
    """Bytes by what they are for, before the allocator rounds them."""
    parts: dict[str, int] = defaultdict(int)
    for module, sizes in all_stored_sizes(deployment, loaded):
        name = NAMES.get(module.kind, OTHERS) if module.part is Part.decoder else str(module.part)
        parts[name] += sum(sizes) * module.copies
    dtype = str(deployment.settings.value("dtype"))
    parts["rope tables"] = sum(
        table.positions * table.rotary_dim * element_bytes(table.dtype or dtype)
        for table in deployment.model.rope
    )
    parts["adapter slots"] = sum(adapter_sizes(deployment, loaded))
    parts["buffers"] = sum(model_buffers(deployment, loaded))
    if takes_workspace(deployment, loaded):
        parts["buffers"] += CUBLAS_WORKSPACE_BYTES
    return parts
