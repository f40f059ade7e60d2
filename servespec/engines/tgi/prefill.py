"""The launcher's default for ``max_batch_prefill_tokens``.

Source: launcher/src/main.rs, compute_optimal, vram_maximum and main, 3.0.0 to 3.3.7.
"""

from __future__ import annotations

from servespec.engines.tgi.policies import CARD_TERAFLOPS, UNKNOWN_PREFILL, VISION_PREFILL, by_version
from servespec.hardware.gpu import GPU
from servespec.models.facts import KVKind, ModelFacts

LEAST_BELIEVABLE = 100  # compute_optimal: "ignore calculations that are too low"
VRAM_SHARE = 0.95  # ComputeType::vram, where TGI_WIGGLE_ROOM is not set in the environment
MIB = 2**20


def prefill_tokens(
    version: str, model: ModelFacts, gpu: GPU, shards: int, memory_fraction: float, positions: int | None
) -> int:
    """min(FLOP/s of the cards ÷ FLOP of a token, positions of the model, tokens that memory allows)."""
    tokens = _by_compute(version, model, gpu, shards)
    if tokens is None:
        tokens = by_version(VISION_PREFILL, version).get(model.model_type, UNKNOWN_PREFILL)
    if positions is not None:
        tokens = min(tokens, positions)
    allowed = _by_memory(model, gpu, shards, memory_fraction)
    return tokens if allowed is None else min(tokens, allowed)


def flop_per_token(model: ModelFacts) -> int | None:
    """Of all layers; None for vision models, which the launcher does not reckon."""
    if model.vision is not None:
        return None
    heads, kv_heads, hidden = model.attention_heads, model.kv_heads, model.hidden_size
    attention = 2 * _head_dim(model) * hidden * (3 * heads + 2 * kv_heads)
    active = _active_experts(model)
    return (attention + 2 * 3 * hidden * model.intermediate_size * active) * model.layers


def _head_dim(model: ModelFacts) -> int:
    """As the launcher reads the configuration: MLA's gives none, and the launcher divides."""
    is_mla = any(layers.kind is KVKind.latent for layers in model.kv)
    return model.hidden_size // model.attention_heads if is_mla else model.head_dim


def _active_experts(model: ModelFacts) -> int:
    """Routed and shared, each counted with the intermediate size of the dense layers."""
    if model.moe is None:
        return 1
    shared = model.moe.shared_intermediate_size // (model.moe.intermediate_size or 1)
    return model.moe.experts_per_token + shared


def _by_compute(version: str, model: ModelFacts, gpu: GPU, shards: int) -> int | None:
    teraflops = by_version(CARD_TERAFLOPS, version)
    names = (alias.replace(" ", "-").lower() for alias in gpu.aliases)
    card = next((teraflops[name] for name in names if name in teraflops), None)
    flop = flop_per_token(model)
    if card is None or not flop:
        return None
    tokens = card * 10**12 * shards // flop
    return tokens if tokens > LEAST_BELIEVABLE else None


def _by_memory(model: ModelFacts, gpu: GPU, shards: int, memory_fraction: float) -> int | None:
    """Tokens that the launcher's own estimate of memory allows; None where it makes none."""
    if (
        model.quantization is not None
        or not gpu.driver_total_bytes
        or gpu.kind != "cuda"
        or model.vision is not None
    ):
        return None
    experts = model.moe.experts if model.moe and "Mixtral" in model.architecture else 1
    head_dim, hidden, inner = _head_dim(model), model.hidden_size, model.intermediate_size
    # The projections of queries, keys and values are counted without the hidden size, as there.
    layer = 3 * inner * experts * hidden + (model.attention_heads + 2 * model.kv_heads) * head_dim
    layer += model.attention_heads * head_dim * hidden
    weights = 2 * (layer * model.layers + 2 * hidden * model.vocab_size)
    token = model.kv_heads * 2 * head_dim * 2 * model.layers + (inner + inner // 2) * experts * 2 * 3
    available = int(gpu.driver_total_bytes * shards * memory_fraction * VRAM_SHARE)
    return (available - weights) // token if available >= weights else None
