"""The sizes that the profile run's tensors follow, taken out of a deployment once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.models.facts import KVKind, Part, TensorKind
from servespec.recall import by_identity
from servespec.rules.versions import release

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.models.facts import ModelFacts, TensorGroup

DOWN_PROJECTIONS = (
    "mlp.down_proj",
    "feed_forward.down_proj",
    "feed_forward.w2",
    "mlp.dense_4h_to_h",
    "mlp.c_proj",
    "mlp.fc2",
    ".fc2",
)
"""How checkpoints name the second matrix of a dense MLP (that of shared experts is another module)."""

GATES = ("gate_proj", "gate_up_proj", "feed_forward.w1", "dense_h_to_4h")

ELEMENT_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileShape:
    """Sizes of the profile run on one rank.

    ``eager``: Python runs the layers one by one, as it always does in V0 and with compilation turned off, CUDA graphs
    or none. ``mlp_follows_experts``: a dense MLP runs after the first mixture of experts. ``has_flashinfer``: the
    spec itself shows that FlashInfer is installed. ``tokens`` and ``sequences`` are max_num_batched_tokens and max_num_seqs; ``*_size`` are elements a
    token on this rank. ``runner`` is ``v0``, ``v1`` or ``v2``.
    """

    runner: str
    version: str
    release: tuple[int, ...]
    eager: bool
    tokens: int
    sequences: int
    max_model_len: int
    element_bytes: int
    tensor_parallel: int
    expert_parallel: bool
    hidden_size: int
    intermediate_size: int
    query_size: int
    key_value_size: int
    vocab_size: int
    multiprocessors: int
    dense_gemm_runs: bool
    mlp_is_gated: bool
    mlp_follows_experts: bool
    has_flashinfer: bool
    compute_capability: tuple[int, int] | None


def profile_shape(deployment: Deployment) -> ProfileShape:
    """The sizes of the deployment's profile run."""
    settings, model = deployment.settings, deployment.model
    tensor = settings.integer("tensor_parallel_size")
    kv_heads = max(1, model.kv_heads // tensor)
    dtype = settings.value("dtype")
    return ProfileShape(
        runner=str(settings.value("model_runner") or "v1"),
        version=deployment.version,
        release=release(deployment.version),
        eager=_runs_eagerly(deployment),
        tokens=settings.integer("max_num_batched_tokens"),
        sequences=min(settings.integer("max_num_seqs"), settings.integer("max_num_batched_tokens")),
        max_model_len=settings.integer("max_model_len"),
        element_bytes=ELEMENT_BYTES.get(str(dtype), 2),
        tensor_parallel=tensor,
        expert_parallel=settings.flag("enable_expert_parallel"),
        hidden_size=model.hidden_size,
        intermediate_size=_widest_mlp(model) // tensor,
        query_size=model.attention_heads * model.head_dim // tensor,
        key_value_size=2 * kv_heads * model.head_dim,
        vocab_size=model.vocab_size,
        multiprocessors=deployment.gpu.multiprocessors or 132,
        dense_gemm_runs=_runs_unquantized_gemm(deployment),
        mlp_is_gated=_mlp_is_gated(model),
        mlp_follows_experts=_mlp_follows_experts(model),
        has_flashinfer="FLASHINFER" in str(settings.value("attention_backend")).upper(),
        compute_capability=deployment.gpu.compute_capability,
    )


def _runs_eagerly(deployment: Deployment) -> bool:
    """Whether no layer is compiled; CUDA graphs may be captured all the same."""
    settings = deployment.settings
    config = settings.value("compilation_config")
    config = config if isinstance(config, Mapping) else {}
    uncompiled = config.get("mode") in (0, "NONE") or config.get("level") == 0
    return settings.flag("enforce_eager") or settings.value("engine") == "v0" or uncompiled


def _dense_mlps(model: ModelFacts) -> list[TensorGroup]:
    return [
        group
        for group in model.tensors
        if group.part is Part.decoder
        and group.layers
        and group.kind is TensorKind.linear
        and group.module.endswith(DOWN_PROJECTIONS)
    ]


@by_identity
def _mlp_is_gated(model: ModelFacts) -> bool:
    return any(group.module.endswith(GATES) for group in model.tensors if group.part is Part.decoder)


@by_identity
def _mlp_follows_experts(model: ModelFacts) -> bool:
    moe = model.moe
    if moe is None or not moe.layers:
        return False
    return any(max(group.layers) >= min(moe.layers) for group in _dense_mlps(model))


@by_identity
def _widest_mlp(model: ModelFacts) -> int:
    """Intermediate size of the widest dense MLP; 0 where every layer is a mixture of experts."""
    widest = max((group.shape[1] for group in _dense_mlps(model)), default=0)
    if widest or model.moe is not None:
        return widest
    return model.intermediate_size


def _runs_unquantized_gemm(deployment: Deployment) -> bool:
    """Whether a decoder layer multiplies by a plain 16- or 32-bit weight, which takes a cuBLAS workspace."""
    quantization = deployment.model.quantization
    online = deployment.settings.value("quantization") is not None
    if not online and (quantization is None or not quantization.formats):
        return True
    if any(kv.kind in (KVKind.latent, KVKind.recurrent) for kv in deployment.model.kv):
        return True
    return deployment.model.moe is not None
