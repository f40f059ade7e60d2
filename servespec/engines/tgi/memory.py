"""TGI's memory budget: what the warm-up leaves becomes KV blocks.

    since 3.0:  blocks = (free − (1 − fraction × wiggle room) × total) ÷ block + blocks of the warm-up
    before:     blocks = (free − (1 − fraction) × total) × wiggle room ÷ block + blocks of the warm-up

Source: server/text_generation_server/models/flash_causal_lm.py warmup, utils/import_utils.py.
"""

from __future__ import annotations

from types import MappingProxyType

from servespec.calibration.model import Conditions
from servespec.deployment import Deployment
from servespec.engines.tgi import shortfalls
from servespec.engines.tgi.own_models import OWN_MODELS
from servespec.engines.tgi.policies import WIGGLE_OF_DEVICE, is_since
from servespec.engines.tgi.warmup import WarmupBatch, activation, non_torch, warmup_batch
from servespec.engines.tgi.weights import weights
from servespec.errors import UnmodelledError
from servespec.memory.budget import MemoryBudget, Term
from servespec.memory.elements import element_bytes
from servespec.memory.verdict import verdict_of
from servespec.models.facts import KVKind, ModelFacts, Part

SOURCE = "TGI models/flash_causal_lm.py warmup"

# models/__init__.py: 128 + 64, by keys that no configuration has (qk_nope_dim, qk_rope_dim).
EXPANDED_HEAD = 192
EXPANDED = frozenset({"deepseek_v2", "deepseek_v3"})
PLAIN = frozenset({KVKind.full, KVKind.sliding, KVKind.chunked})


def conditions(deployment: Deployment) -> Conditions:
    """Under which conditions a measured term holds: ranks alone."""
    return Conditions(eager=False, tensor_parallel=deployment.settings.integer("num_shard"))


def budget(deployment: Deployment) -> MemoryBudget:
    """Predict what one shard allocates. Raises UnmodelledError."""
    _refuse_unmodelled(deployment)
    settings, gpu = deployment.settings, deployment.gpu
    batch = warmup_batch(deployment)
    loaded, live, context = weights(deployment), activation(deployment, batch), non_torch(deployment)
    per_token = kv_bytes_per_token(deployment)
    share, wiggle = settings.number("cuda_memory_fraction"), settings.number("tgi_wiggle_room")
    used = loaded.size_bytes + live.size_bytes + context.size_bytes + batch.tokens * per_token
    free = gpu.total_bytes - used
    if is_since(deployment.version, WIGGLE_OF_DEVICE):
        left = free - (1 - share * wiggle) * gpu.total_bytes
    else:
        left = (free - (1 - share) * gpu.total_bytes) * wiggle
    block = settings.integer("block_size")
    blocks = int(max(0.0, left) // (block * per_token)) + batch.tokens // block
    tokens = blocks * block
    uncertainty = (
        loaded.uncertainty_bytes + live.uncertainty_bytes + context.uncertainty_bytes + gpu.total_spread_bytes
    )
    # utils/dist.py sets the fraction for torch's allocator too, which holds all but what is not torch's own.
    room = min(free, round(share * gpu.total_bytes) - (used - context.size_bytes))
    found = shortfalls.find(deployment, loaded, room, round(left), tokens, batch, per_token, uncertainty)
    if room < 0:  # the warm-up fails: told is what there would be memory for
        blocks = max(0, room + batch.tokens * per_token) // (block * per_token)
        tokens = blocks * block
    longest = max_total_tokens(deployment, tokens, batch)
    return MemoryBudget(
        device_bytes=gpu.total_bytes,
        budget_bytes=loaded.size_bytes + live.size_bytes + context.size_bytes + tokens * per_token,
        weights=loaded,
        activation=live,
        non_torch=context,
        cuda_graph=Term("CUDA graphs", 0, "captured in the wiggle room", SOURCE),
        kv_cache_bytes=tokens * per_token,
        kv_bytes_per_token=float(per_token),
        kv_tokens=tokens,
        max_concurrency=tokens / longest if longest else 0.0,
        uncertainty_bytes=uncertainty,
        # Below zero the warm-up's own blocks are all there is, and they eat into the wiggle room.
        verdict=verdict_of(found, round(left), uncertainty),
        shortfalls=found,
        estimated_max_model_len=min(tokens, deployment.model.context_tokens) or None,
        block_size=block,
        num_blocks=blocks,
        kv_formula=_formula(deployment, share, wiggle),
        kv_source=SOURCE,
        details=MappingProxyType(
            {
                "warmup_prefill_tokens": batch.prefill_tokens,
                "warmup_tokens": batch.tokens,
                "max_total_tokens": longest,
                "tgi_wiggle_room": wiggle,
            }
        ),
    )


def _formula(deployment: Deployment, share: float, wiggle: float) -> str:
    if is_since(deployment.version, WIGGLE_OF_DEVICE):
        return f"(free − (1 − {share:g} × {wiggle:g}) × device) ÷ bytes of a block + blocks of the warm-up"
    return f"(free − (1 − {share:g}) × device) × {wiggle:g} ÷ bytes of a block + blocks of the warm-up"


def kv_bytes_per_token(deployment: Deployment) -> int:
    """layers × kv heads of the shard × head size × 2 × element bytes; sliding windows save nothing.

    DeepSeek's latent vectors are kept expanded, every head padded to the size of its keys
    (models/__init__.py, head_size; custom_modeling/flash_deepseek_v2_modeling.py).
    """
    model = deployment.model
    shards = deployment.settings.integer("num_shard")
    size = element_bytes(str(deployment.settings.value("kv_cache_dtype")))
    if any(layers.kind is KVKind.latent for layers in model.kv):
        return model.layers * max(1, model.attention_heads // shards) * EXPANDED_HEAD * 2 * size
    heads = model.kv_heads // shards if model.kv_heads > 1 else model.kv_heads
    return model.layers * max(1, heads) * model.head_dim * 2 * size


def max_total_tokens(deployment: Deployment, tokens: int, batch: WarmupBatch) -> int:
    """The longest request: as set, else after the warm-up min(blocks, positions of the model).

    Vision models do not prefill in chunks: theirs is the warm-up's prompt.
    """
    given = deployment.settings.value("max_total_tokens")
    if isinstance(given, int):
        return given
    if deployment.model.is_multimodal:
        return batch.tokens
    positions = deployment.model.extra.get("max_position_embeddings")
    return min(tokens, positions if isinstance(positions, int) else deployment.model.context_tokens)


def _refuse_unmodelled(deployment: Deployment) -> None:
    model = deployment.model
    if model.unmodelled:
        raise UnmodelledError(", ".join(model.unmodelled))
    if deployment.gpu.is_cpu:
        raise UnmodelledError(
            "TGI on a CPU", "TGI sizes its cache by the free memory of the host, which is not known"
        )
    if model.is_encoder_decoder:
        raise UnmodelledError(f"an encoder-decoder model ({model.architecture}) on TGI")
    if not _is_plain(model):
        raise UnmodelledError(f"{model.architecture} on TGI")
    if is_since(deployment.version, "3.0") and model.model_type not in OWN_MODELS:
        raise UnmodelledError(
            f"{model.architecture} on TGI",
            f"TGI {deployment.version} has no model of its own for {model.model_type}: transformers' class runs it, if "
            "its transformers knows it, without TGI's own cache",
        )


def _is_plain(model: ModelFacts) -> bool:
    """Whether every layer keeps keys and values of every token, which is all that TGI's cache can do."""
    kinds = {layers.kind for layers in model.kv if layers.part is not Part.mtp}
    return kinds <= PLAIN or (kinds == {KVKind.latent} and model.model_type in EXPANDED)
