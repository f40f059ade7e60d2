"""The sizes that the profile run's tensors follow, taken out of a deployment once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.models.facts import KVKind, TensorKind

if TYPE_CHECKING:
    from servespec.deployment import Deployment

ELEMENT_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileShape:
    """Sizes of the profile run on one rank.

    ``tokens`` and ``sequences`` are max_num_batched_tokens and max_num_seqs; ``*_size`` are elements a
    token on this rank. ``runner`` is ``v0``, ``v1`` or ``v2``.
    """

    runner: str
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


def release_of(version: str) -> tuple[int, ...]:
    """``0.19.2rc1.dev100`` → (0, 19, 2): the numbers that the version begins with."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = ""
        for character in part:
            if not character.isdigit():
                break
            digits += character
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def profile_shape(deployment: Deployment) -> ProfileShape:
    """The sizes of the deployment's profile run."""
    settings, model = deployment.settings, deployment.model
    tensor = settings.integer("tensor_parallel_size")
    kv_heads = max(1, model.kv_heads // tensor)
    dtype = settings.value("dtype")
    return ProfileShape(
        runner=str(settings.value("model_runner") or "v1"),
        release=release_of(deployment.version),
        eager=settings.flag("enforce_eager"),
        tokens=settings.integer("max_num_batched_tokens"),
        sequences=min(settings.integer("max_num_seqs"), settings.integer("max_num_batched_tokens")),
        max_model_len=settings.integer("max_model_len"),
        element_bytes=ELEMENT_BYTES.get(str(dtype), 2),
        tensor_parallel=tensor,
        expert_parallel=settings.flag("enable_expert_parallel"),
        hidden_size=model.hidden_size,
        intermediate_size=_widest_mlp(deployment) // tensor,
        query_size=model.attention_heads * model.head_dim // tensor,
        key_value_size=2 * kv_heads * model.head_dim,
        vocab_size=model.vocab_size,
        multiprocessors=deployment.gpu.multiprocessors or 132,
        dense_gemm_runs=_runs_unquantized_gemm(deployment),
    )


def _widest_mlp(deployment: Deployment) -> int:
    """Intermediate size of the widest dense MLP; 0 where every layer is a mixture of experts."""
    widest = 0
    for group in deployment.model.tensors:
        if group.layers and group.kind is TensorKind.linear and "down_proj" in group.name:
            widest = max(widest, group.shape[1])
    if widest or deployment.model.moe is not None:
        return widest
    return deployment.model.intermediate_size


def _runs_unquantized_gemm(deployment: Deployment) -> bool:
    """Whether a decoder layer multiplies by a plain 16- or 32-bit weight, which takes a cuBLAS workspace."""
    quantization = deployment.model.quantization
    if quantization is None or not quantization.formats:
        return True
    if any(kv.kind in (KVKind.latent, KVKind.recurrent) for kv in deployment.model.kv):
        return True
    return deployment.model.moe is not None
