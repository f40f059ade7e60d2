"""The weights of one stage, part by part."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from servespec.engines.vllm.placement import stage_layers
from servespec.engines.vllm.quantization import effective_quantization
from servespec.engines.vllm.weights.loading import allocate_model
from servespec.engines.vllm.weights.modules import modules
from servespec.engines.vllm.weights.storage import stored_sizes
from servespec.memory.budget import Term
from servespec.memory.elements import element_bytes
from servespec.models.facts import Part, TensorKind

if TYPE_CHECKING:
    from servespec.deployment import Deployment

ALLOCATOR_SOURCE = "PyTorch c10/cuda/CUDACachingAllocator.cpp"
NAMES = {
    TensorKind.embedding: "embeddings",
    TensorKind.lm_head: "output layer",
    TensorKind.expert: "experts",
}


def weights_term(deployment: Deployment, stage: int) -> Term:
    """Bytes of parameters and buffers on one rank of the stage."""
    stages = deployment.settings.integer("pipeline_parallel_size")
    layers = stage_layers(deployment.model.layers, stages)[stage]
    parts: dict[str, int] = defaultdict(int)
    loaded = modules(deployment, stage, layers)
    for module in loaded:
        name = (
            NAMES.get(module.kind, "linear layers and norms")
            if module.part is Part.decoder
            else str(module.part)
        )
        parts[name] += sum(stored_sizes(deployment, module)) * module.copies
    dtype = str(deployment.settings.value("dtype"))
    parts["rope tables"] = sum(
        table.positions * table.rotary_dim * element_bytes(table.dtype or dtype)
        for table in deployment.model.rope
    )
    source = f"vllm {deployment.version} model_executor/layers"
    terms = tuple(
        Term(name, size, "elements on this rank × bytes as stored", source)
        for name, size in parts.items()
        if size
    )
    total = sum(term.size_bytes for term in terms)
    if deployment.gpu.kind == "cuda":
        online = deployment.model.quantization is None and effective_quantization(deployment) is not None
        found = allocate_model(deployment, loaded, deployment.model.rope, online=online)
        rounding = max(0, found - total)
        terms = (*terms, Term("allocator rounding", rounding, "blocks that are not split", ALLOCATOR_SOURCE))
        total += rounding
    return Term(
        "weights",
        total,
        "Σ elements on this rank × bytes as stored",
        source,
        " + ".join(f"{term.name} {term.size_bytes / 2**30:.2f} GiB" for term in terms),
        uncertainty_bytes=total // 500,
        parts=terms,
    )
