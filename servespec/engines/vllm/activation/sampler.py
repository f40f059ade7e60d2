"""What the dummy sampler allocates for max_num_seqs rows of logits."""

from __future__ import annotations

from servespec.engines.vllm.activation.shape import ProfileShape
from servespec.memory.budget import Term

SORTING_SAMPLER_BYTES = 38
"""Bytes an element of logits where top-k and top-p sort in PyTorch: the logits in 16 and 32 bits (2 + 4), sorted
values and their indices (4 + 8), the sort's own copies and the probabilities. Measured: 5.64 GiB on
Qwen3-14B with 1,024 sequences in 0.15.0 and 0.16.0 (llmd205-v1, -v2)."""

SINCE_TRITON_TOP_K_TOP_P = (0, 17)
"""First release whose top-k/top-p runs in a Triton kernel (v1/sample/ops/topk_topp_triton.py)."""

FLASHINFER_SAMPLER_BYTES = 10
"""Bytes an element where FlashInfer samples: logits in 16 and 32 bits and the probabilities (2 + 4 + 4)."""

FLASHINFER_WHEN_INSTALLED = ((0, 9), (0, 12))
"""Releases that sample by FlashInfer whenever it is installed, unless VLLM_USE_FLASHINFER_SAMPLER says no; later ones
only when asked (v1/sample/ops/topk_topp_sampler.py TopKTopPSampler.__init__ of 0.9.2, 0.10.2, 0.11.0, 0.16.0)."""

GUMBEL_BLOCK = 1024
"""Vocabulary entries of one block of the V2 runner's sampler (v1/worker/gpu/sample/gumbel.py)."""


def sampler_term(shape: ProfileShape) -> Term:
    """Bytes alive in the sampler, the hidden states of the forward pass included."""
    hidden = shape.tokens * shape.hidden_size * shape.element_bytes
    selected = shape.sequences * shape.hidden_size * shape.element_bytes
    logits = shape.sequences * shape.vocab_size
    if shape.runner == "v2":
        # 16-bit logits, a copy in 32 bits, one maximum (8 + 4 bytes) a block of the vocabulary
        blocks = shape.sequences * -(-shape.vocab_size // GUMBEL_BLOCK) * 12
        size = logits * (shape.element_bytes + 4) + blocks + hidden + selected
        formula = "max_num_seqs × vocabulary × (2 + 4) + hidden states"
        numbers = f"{shape.sequences:,} × {shape.vocab_size:,} × {shape.element_bytes + 4}"
        source = "v1/worker/gpu/sample/sampler.py"
    elif shape.release >= SINCE_TRITON_TOP_K_TOP_P:
        # 16-bit logits; 32-bit copy, probabilities and noise; one row a multiprocessor for the kernel
        kernel = min(shape.multiprocessors, shape.sequences) * shape.vocab_size * 4
        size = logits * (shape.element_bytes + 12) + kernel + hidden + 2 * selected
        formula = (
            "max_num_seqs × vocabulary × (2 + 4 + 4 + 4) + multiprocessors × vocabulary × 4 + hidden states"
        )
        numbers = (
            f"{shape.sequences:,} × {shape.vocab_size:,} × {shape.element_bytes + 12}"
            f" + {shape.multiprocessors} × {shape.vocab_size:,} × 4"
        )
        source = "v1/sample/ops/topk_topp_sampler.py, topk_topp_triton.py"
    else:
        each = FLASHINFER_SAMPLER_BYTES if _samples_by_flashinfer(shape) else SORTING_SAMPLER_BYTES
        size = logits * each + hidden + 2 * selected
        formula = f"max_num_seqs × vocabulary × {each} + hidden states"
        numbers = f"{shape.sequences:,} × {shape.vocab_size:,} × {each}"
        source = "v1/sample/ops/topk_topp_sampler.py"
    return Term("sampler", size, formula, f"vllm {shape.version} {source}", numbers)


def sampler_ambiguity_bytes(shape: ProfileShape) -> int:
    """How much less the sampler takes if FlashInfer is installed, where the spec does not tell; else 0."""
    first, end = FLASHINFER_WHEN_INSTALLED
    if shape.runner == "v2" or not first <= shape.release < end or shape.has_flashinfer:
        return 0
    return shape.sequences * shape.vocab_size * (SORTING_SAMPLER_BYTES - FLASHINFER_SAMPLER_BYTES)


def _samples_by_flashinfer(shape: ProfileShape) -> bool:
    first, end = FLASHINFER_WHEN_INSTALLED
    return shape.has_flashinfer and first <= shape.release < end
