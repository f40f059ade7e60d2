"""What compiling for the first time holds: a copy of the embeddings, beside two hidden states.

Exact on h200-vllm-0.25.1/qwen3-8b-graphs8 (1,379,983,872 bytes = 1,245,708,288 of embeddings in whole segments + 2 ×
8,192 × 4,096 × 2, and 57,856 bytes of small tensors); within 0.1 GiB on L4 (l4-farcic-1), A6000 (hpml-9), A100-40GB
(hpml-6), A100-80GB (page-myoceane-1, dennis-5, vllm-24577-1). A start that finds its compile cache filled does without
(hpml-5). Where another phase is larger, as with 1,024 sequences in the sampler, it does not show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.activation.shape import ProfileShape
from servespec.memory.budget import Term
from servespec.memory.shards import round_up, vocabulary_per_rank

if TYPE_CHECKING:
    from servespec.models.facts import ModelFacts

SEGMENT_ROUNDING = 2 * 2**20
VOCABULARY_PADDING = 64


def compilation_term(shape: ProfileShape, model: ModelFacts) -> Term | None:
    """Bytes alive while torch.compile traces and tunes the first graph; None in eager mode and in V0.

    Models that take more than text embed outside of the graph, so that there is nothing to copy.
    """
    if shape.eager or shape.runner == "v0" or model.is_multimodal:
        return None
    rows = vocabulary_per_rank(shape.vocab_size, shape.tensor_parallel, VOCABULARY_PADDING)
    embedding = round_up(rows * shape.hidden_size * shape.element_bytes, SEGMENT_ROUNDING)
    hidden = 2 * shape.tokens * shape.hidden_size * shape.element_bytes
    return Term(
        "first compilation",
        embedding + hidden,
        "embeddings of this rank + 2 × max_num_batched_tokens × hidden × element bytes",
        f"vllm {shape.version}, fitted on h200-vllm-0.25.1/qwen3-8b-graphs8",
        f"{rows:,} × {shape.hidden_size:,} × {shape.element_bytes} + 2 × {shape.tokens:,} × {shape.hidden_size:,} "
        f"× {shape.element_bytes}",
    )
