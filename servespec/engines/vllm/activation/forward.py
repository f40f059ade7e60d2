"""The widest moment of a decoder layer: tensors that are alive together.

In eager mode Python's references decide. Around the MLP of a layer there are always alive: the
previous layer's output (held by the model's loop), the residual, the attention's output that the
MLP reads, the activation of ``gate_up`` (2 × intermediate) and the result of the gate
(intermediate): 3 hidden + 3 intermediate. Where the module keeps ``gate_up`` in a variable of its own
it outlives the down projection, whose output is one more hidden. Norms that are not fused with the
residual (Gemma) make one more. Compiled, Inductor frees as soon as it can, in every family alike.

Source: vllm 0.25.1 model_executor/models/*.py; 22 measured rows on H100 and H200, within 0.1 % each
in eager mode, within 1 % compiled (benchmarks/accuracy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.activation.shape import ProfileShape
from servespec.memory.budget import Term
from servespec.models.facts import KVKind

if TYPE_CHECKING:
    from servespec.models.facts import ModelFacts

CUBLAS_WORKSPACE_BYTES = 32 * 2**20
"""What the first cuBLAS GEMM on Hopper and data-center Blackwell allocates and keeps: eager rows with plain weights
are 32 MiB above those whose layers are all quantized (h100-vllm-0.25.1 llama31-8b against its AWQ and fp8 rows)."""

SMALL_CUBLAS_WORKSPACE_BYTES = 8_519_680
"""The same on every other card: ``:4096:2:16:8``, PyTorch's default (aten/src/ATen/cuda/CublasHandlePool.cpp)."""

COMPILED_EXTRA_BYTES = 50 * 2**20
"""Compiled against eager: 50 MiB on Llama-3.1-8B at 16,384 tokens (0.25.1, exact), 46 ± 5 on Granite-3.1-8B
and 48 ± 5 on CodeLlama-7B at 8,192 (0.19.0): no multiple of the tokens."""

REBINDS_GATE_UP = frozenset(
    {
        "ApertusForCausalLM", "ArceeForCausalLM", "DeciLMForCausalLM", "FalconH1ForCausalLM", "HyperCLOVAXForCausalLM",
        "InternLMForCausalLM", "Llama4ForCausalLM", "Llama4ForConditionalGeneration", "LlamaForCausalLM",
        "Mistral3ForConditionalGeneration", "MistralForCausalLM", "LlavaForConditionalGeneration",
        "LlavaNextForConditionalGeneration", "MllamaForConditionalGeneration", "NemotronHForCausalLM", "Phi3ForCausalLM",
        "Step1ForCausalLM", "TeleChat2ForCausalLM", "AquilaForCausalLM", "SolarForCausalLM", "XverseForCausalLM",
    }
)  # fmt: skip
"""Architectures whose MLP assigns gate_up to the variable that the gate then overwrites, so that it is freed
before the down projection. Source: vllm 0.25.1 models/llama.py LlamaMLP and the models that use it."""

UNFUSED_NORMS = frozenset(
    {
        "Gemma2ForCausalLM", "Gemma3ForCausalLM", "Gemma3ForConditionalGeneration", "Gemma3nForConditionalGeneration",
        "Gemma4ForCausalLM", "Gemma4ForConditionalGeneration", "GemmaForCausalLM",
    }
)  # fmt: skip
"""Architectures whose norms return a new tensor beside the residual (models/gemma*.py, layernorm.py GemmaRMSNorm)."""


def cublas_workspace_bytes(shape: ProfileShape) -> int:
    """What cuBLAS keeps for its first matrix product on this card."""
    large = shape.compute_capability in ((9, 0), (10, 0))
    return CUBLAS_WORKSPACE_BYTES if large else SMALL_CUBLAS_WORKSPACE_BYTES


def mlp_term(shape: ProfileShape, model: ModelFacts) -> Term:
    """Bytes alive at the widest moment around a dense MLP."""
    hidden_copies = 3
    if shape.eager:
        hidden_copies += model.architecture not in REBINDS_GATE_UP
        hidden_copies += model.architecture in UNFUSED_NORMS
    copies = 3 if shape.mlp_is_gated else 2
    elements = hidden_copies * shape.hidden_size + copies * shape.intermediate_size
    return Term(
        "MLP",
        shape.tokens * elements * shape.element_bytes,
        f"max_num_batched_tokens × ({hidden_copies}·hidden + {copies}·intermediate ÷ tp) × element bytes",
        f"vllm {shape.version} {model.architecture} forward",
        f"{shape.tokens:,} × ({hidden_copies}·{shape.hidden_size:,} + {copies}·{shape.intermediate_size:,}) × {shape.element_bytes}",
    )


def attention_term(shape: ProfileShape, model: ModelFacts) -> Term:
    """Bytes alive around attention: two hidden states and the query, key, value and output of this rank."""
    latent = next((kv for kv in model.kv if kv.kind is KVKind.latent), None)
    if latent is not None:
        return _latent_attention_term(shape, model, latent.key_dim)
    hidden_copies = 3
    elements = hidden_copies * shape.hidden_size + 2 * shape.query_size + 2 * shape.key_value_size
    return Term(
        "attention",
        shape.tokens * elements * shape.element_bytes,
        "max_num_batched_tokens × (3·hidden + 2·query + 2·key_value) × element bytes",
        f"vllm {shape.version} {model.architecture} forward",
        f"{shape.tokens:,} × (3·{shape.hidden_size:,} + 2·{shape.query_size:,} + 2·{shape.key_value_size:,}) "
        f"× {shape.element_bytes}",
    )


def _expanded_prefill_term(
    shape: ProfileShape, heads: int, latent_dim: int, nope: int, rope: int, value: int
) -> Term:
    """MLA in V0: query, what kv_b_proj gives, key, padded value and output of every prefilled token.

    Source: vllm 0.7.3 attention/backends/mla/utils.py and 0.8.5 mla/common.py, _forward_prefill_flash.
    """
    head = 4 * (nope + rope) + nope + value
    per_token = heads * head + latent_dim + 3 * shape.hidden_size
    return Term(
        "latent attention",
        shape.tokens * per_token * shape.element_bytes,
        "max_num_batched_tokens × (heads·(4·(nope + rope) + nope + value) + latent + 3·hidden) × element bytes",
        f"vllm {shape.version} attention/backends/mla _forward_prefill_flash",
        f"{shape.tokens:,} × {per_token:,} × {shape.element_bytes}",
    )


def _latent_attention_term(shape: ProfileShape, model: ModelFacts, latent_dim: int) -> Term:
    """MLA: query, compressed key, output, hidden states, and the worst chunk of a long prompt's expanded cache.

    The profile run allocates the output of kv_b_proj for a whole prefill workspace:
    min(max(8·max_model_len, 4·max_num_seqs·block), 65,536) tokens × heads × (nope + value) elements.
    Source: vllm 0.25.1 model_executor/layers/attention/mla_attention.py (forward_impl without metadata,
    determine_chunked_prefill_workspace_size).
    """
    nope = int(model.extra.get("qk_nope_head_dim", 128))
    rope = int(model.extra.get("qk_rope_head_dim", 64))
    value = int(model.extra.get("v_head_dim", 128))
    heads = max(1, model.attention_heads // shape.tensor_parallel)
    if shape.runner == "v0":
        return _expanded_prefill_term(shape, heads, latent_dim, nope, rope, value)
    workspace_tokens = min(max(8 * shape.max_model_len, 4 * shape.sequences * 16), 65536)
    expanded = workspace_tokens * heads * (nope + value)
    hidden_copies = 2 if shape.eager else 1
    normed = latent_dim - rope if shape.eager else 0
    per_token = (
        heads * (nope + rope) + latent_dim + normed + heads * value + hidden_copies * shape.hidden_size
    )
    return Term(
        "latent attention",
        (expanded + shape.tokens * per_token) * shape.element_bytes,
        "(prefill workspace tokens × heads·(nope + value) + max_num_batched_tokens × "
        "(query + latent + output + hidden)) × element bytes",
        f"vllm {shape.version} layers/attention/mla_attention.py",
        f"({workspace_tokens:,} × {heads * (nope + value):,} + {shape.tokens:,} × {per_token:,}) × {shape.element_bytes}",
    )
