"""What the weights of one rank take out of free memory, as SGLang measures it.

SGLang reports free memory before loading less free memory after it, so what counts is what
PyTorch's allocator takes from CUDA, not the bytes of the parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from servespec.deployment import Deployment
from servespec.engines.sglang import mxfp4
from servespec.engines.sglang.drafts import draft_of
from servespec.engines.sglang.placement import VOCABULARY_PADDING, Ranks, loaded
from servespec.engines.sglang.versions import is_since
from servespec.memory.budget import Term
from servespec.memory.remembered import remembered
from servespec.memory.shards import ceil_div, round_up, shard_shape
from servespec.models.facts import Quantization, RopeTable, TensorGroup, TensorKind, WeightFormat
from servespec.models.quantization import by_format, checkpoint_bytes, online_quantization

MIB = 2**20

# c10/cuda/CUDACachingAllocator.cpp: blocks up to 1 MiB share segments of 2 MiB, those up to 10 MiB
# segments of 20 MiB, larger ones have a segment of their own in steps of 2 MiB.
SMALL_BYTES, SMALL_SEGMENT_BYTES = MIB, 2 * MIB
MEDIUM_BYTES, MEDIUM_SEGMENT_BYTES = 10 * MIB, 20 * MIB
LARGE_STEP_BYTES = 2 * MIB
ALIGNMENT_BYTES = 512

MROPE_POSITIONS = 4  # what RopeTable counts for each position of a multimodal table

# mem_cache/kv_cache_configurator.py: "draft weights are now counted".
DRAFT_IS_COUNTED = "0.5.14"

# Projections that SGLang keeps as one parameter (models/*.py, packed_modules_mapping and load_weights).
FUSED = {
    "q_proj": "qkv_proj",
    "k_proj": "qkv_proj",
    "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
    "w1": "w13",
    "w3": "w13",
    "q_a_proj": "fused_qkv_a_proj_with_mqa",
    "kv_a_proj_with_mqa": "fused_qkv_a_proj_with_mqa",
}


def quantization_of(deployment: Deployment) -> Quantization | None:
    """The checkpoint's own quantization, else the one done while loading. Raises UnmodelledError."""
    if deployment.model.quantization is not None:
        return deployment.model.quantization
    method = deployment.settings.value("quantization")
    return online_quantization(method) if isinstance(method, str) else None


@remembered
def weights(deployment: Deployment, stage: int) -> Term:
    """Memory that loading takes on one rank of a pipeline stage.

    Raises UnmodelledError for a quantization that is not modelled.
    """
    model = deployment.model
    parameters, repacked = _parameters(deployment, stage)
    tables = [_table_bytes(table, deployment) for table in model.rope]
    exact = sum(size * count for size, count in parameters) + sum(tables)
    holes = mxfp4.holes_bytes(repacked, deployment)
    taken = reserved_bytes([*parameters, *((size, 1) for size in tables)]) + holes
    lora = _lora_bytes(deployment, stage)
    draft = draft_weights(deployment).size_bytes if counts_draft(deployment) else 0
    return Term(
        name="weights",
        size_bytes=taken + lora + draft,
        formula="Σ tensors of the rank, as the allocator takes them + rotary tables (float32) + LoRA slots + draft model",
        numbers=f"{exact:,} bytes of tensors in {taken:,} bytes of segments + {lora:,} + {draft:,}",
        source="sglang model_executor/model_runner.py load_model; c10/cuda/CUDACachingAllocator.cpp",
        # Nine exact start-ups on an H200 (0.5.17) lie within 0.1 %; older logs within 1.5 %.
        # What repacking leaves is known from one start-up alone.
        uncertainty_bytes=round(0.003 * taken) + 32 * MIB + holes // 2,
        parts=(
            Term("tensors", exact - sum(tables), "Σ shards × bytes", model.source),
            Term(
                "rotary tables",
                sum(tables),
                "positions × rotary dimensions × 4",
                "layers/rotary_embedding.py",
            ),
            Term(
                "allocator segments",
                taken - exact,
                "rounding of each tensor",
                "c10/cuda/CUDACachingAllocator.cpp",
            ),
        ),
    )


def _table_bytes(table: RopeTable, deployment: Deployment) -> int:
    """Bytes of a table of sines and cosines (layers/rotary_embedding/base.py, mrope.py, rope_variant.py).

    float32 on CUDA but for longrope's; a multimodal table has no positions of its own for images; Gemma 3's scaling
    is left out (models/gemma3_causal.py).
    """
    positions = table.positions
    if table.kind == "mrope":
        positions //= MROPE_POSITIONS
    most = deployment.model.extra.get("max_position_embeddings")
    if table.kind == "linear" and deployment.model.model_type.startswith("gemma3") and isinstance(most, int):
        positions = min(positions, most)
    is_float32 = deployment.gpu.kind == "cuda" and table.kind != "longrope"
    return positions * table.rotary_dim * (4 if is_float32 else 2)


def counts_draft(deployment: Deployment) -> bool:
    """Whether the draft model is loaded before the pool is sized; before, it took from what is kept free."""
    return is_since(deployment.version, DRAFT_IS_COUNTED)


def draft_weights(deployment: Deployment) -> Term:
    """The draft model's own checkpoint on one rank; drafts of the target's own layers are among its tensors.

    Raises UnmodelledError where a draft is named whose facts are not known.
    """
    draft = draft_of(deployment)
    size = 0
    if draft is not None:
        ranks = Ranks.of(deployment.settings)
        for group in draft.tensors:
            for part, found in by_format(draft.quantization, group):
                size += checkpoint_bytes(_shard(part, ranks), found, draft.dtype)
    return Term(
        name="draft model",
        size_bytes=size,
        formula="Σ tensors of the draft model on the rank",
        source="sglang speculative/eagle_worker.py; mem_cache/kv_cache_configurator.py _profile_available_bytes",
    )


def reserved_bytes(tensors: Iterable[tuple[int, int]]) -> int:
    """What PyTorch's allocator takes from CUDA for (bytes, count) of tensors that live together."""
    small = medium = large = 0
    for size, count in tensors:
        aligned = round_up(size, ALIGNMENT_BYTES)
        if aligned <= SMALL_BYTES:
            small += aligned * count
        elif aligned < MEDIUM_BYTES:
            medium += aligned * count
        else:
            large += round_up(aligned, LARGE_STEP_BYTES) * count
    return round_up(small, SMALL_SEGMENT_BYTES) + round_up(medium, MEDIUM_SEGMENT_BYTES) + large


def _parameters(deployment: Deployment, stage: int) -> tuple[list[tuple[int, int]], int]:
    """(bytes, count) of every parameter of a rank, fused as SGLang keeps it, and bytes of MXFP4 experts."""
    ranks = Ranks.of(deployment.settings)
    dtype = str(deployment.settings.value("dtype"))
    quantization = quantization_of(deployment)
    fused: dict[tuple[str, int], int] = {}
    repacked = 0
    for group in loaded(deployment, stage):
        for part, found in by_format(quantization, group):
            one = _shard(part, ranks)
            layers = max(1, len(part.layers)) * part.copies
            if mxfp4.is_mxfp4_expert(part, found):
                one = mxfp4.padded(one, deployment)
                repacked += checkpoint_bytes(one, found, dtype)
            size = checkpoint_bytes(one, found, dtype) // layers
            weight = size if found is None else _packed_bytes(one, found) // layers
            for suffix, part_bytes in (("", weight), (" scales", size - weight)):
                key = (_fused_name(part) + suffix, layers)
                fused[key] = fused.get(key, 0) + part_bytes
            if group.module.endswith(".kv_b_proj"):
                # models/deepseek_common/attention_forward_methods: w_kc and w_vc, copies that decoding multiplies by.
                copies = checkpoint_bytes(one, None, dtype) // layers
                fused[(f"{_fused_name(part)} absorbed", layers)] = copies
    return [(size, count) for (_, count), size in fused.items() if size > 0], repacked


def _packed_bytes(group: TensorGroup, found: WeightFormat) -> int:
    """Bytes of the packed weights alone; scales and zero points are tensors of their own."""
    return group.elements * group.count * found.bits // 8


def _shard(group: TensorGroup, ranks: Ranks) -> TensorGroup:
    """The share of a group that one rank holds."""
    if group.kind is TensorKind.expert:
        split = ranks.tensor // ranks.expert
        experts = ceil_div(group.experts, ranks.expert)
        return replace(group, shape=shard_shape(group, split), experts=experts)
    split = ranks.tensor
    if ranks.has_dp_attention and ("attn" in group.name or group.kind is TensorKind.embedding):
        split = ranks.attention if "attn" in group.name else 1
    return replace(group, shape=shard_shape(group, split, VOCABULARY_PADDING))


def _fused_name(group: TensorGroup) -> str:
    head, _, leaf = group.module.rpartition(".")
    suffix = group.name.removeprefix(group.module)
    return f"{head}.{FUSED.get(leaf, leaf)}{suffix}"


def _lora_bytes(deployment: Deployment, stage: int) -> int:
    """Buffers of the adapters: rank × (inputs + outputs) of every linear layer of the decoder, a slot each.

    Source: lora/mem_pool.py, LoRAMemoryPool.init_buffers.
    """
    settings = deployment.settings
    if not settings.flag("enable_lora"):
        return 0
    rank, slots = settings.value("max_lora_rank"), settings.value("max_loras_per_batch")
    rank = rank if isinstance(rank, int) else 64
    slots = slots if isinstance(slots, int) else 8
    ranks = Ranks.of(settings)
    elements = 0
    for group in loaded(deployment, stage):
        if group.kind is TensorKind.linear and group.layers and len(group.shape) == 2:
            outputs, inputs = shard_shape(group, ranks.tensor)
            elements += (outputs + inputs) * len(group.layers)
    return slots * rank * elements * 2
