"""What stays allocated through the whole profile run: expert workspaces and the dummy images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from servespec.engines.vllm.activation.shape import ProfileShape
from servespec.engines.vllm.policies import V2_PROFILES_IMAGES, by_version
from servespec.memory.budget import Term
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.models.facts import ModelFacts, Vision

WORKSPACE_MANAGER = (0, 13)
"""First release in which the fused experts' workspace is kept by v1/worker/workspace.py."""


CHUNK_TOKENS: tuple[tuple[str, int], ...] = (("<0.12", 32768), (">=0.12,<0.18", 16384))
"""Tokens that the fused experts take at a time (vllm/envs.py VLLM_FUSED_MOE_CHUNK_SIZE of 0.7.3, 0.11.2, 0.12.0, 0.17.0;
gone in 0.18.0)."""


def expert_workspace_term(shape: ProfileShape, model: ModelFacts) -> Term | None:
    """The two workspaces of the Triton fused experts; None without experts, or for MXFP4 kernels.

    workspace13 = tokens × top-k × max(N ÷ 2, K), workspace2 = tokens × top-k × max(N, K), with N both
    projections of one expert on this rank and K the hidden size. Source: vllm 0.25.1
    model_executor/layers/fused_moe/fused_moe.py TritonExperts.workspace_shapes; exact on Qwen3-30B-A3B-FP8
    and DeepSeek-V2-Lite. The gpt-oss rows (MXFP4) show none.
    """
    if model.moe is None:
        return None
    if model.quantization is not None and model.quantization.method == "mxfp4":
        return None
    split = 1 if shape.expert_parallel else shape.tensor_parallel
    both = (2 if model.moe.gated else 1) * model.moe.intermediate_size // split
    width = max(both // 2, shape.hidden_size) + max(both, shape.hidden_size)
    tokens = min(shape.tokens, by_version(CHUNK_TOKENS, shape.version, shape.tokens))
    size = tokens * model.moe.experts_per_token * width * shape.element_bytes
    return Term(
        "expert workspace",
        size,
        "max_num_batched_tokens × top-k × (max(N ÷ 2, K) + max(N, K)) × element bytes",
        "vllm 0.25.1 layers/fused_moe/fused_moe.py workspace_shapes",
        f"{tokens:,} × {model.moe.experts_per_token} × {width:,} × {shape.element_bytes}",
    )


def images_term(deployment: Deployment, shape: ProfileShape) -> Term | None:
    """Pixels and encoder outputs of the dummy images, alive until the sampler is done; None for text alone.

    As many images of the largest size as the encoder budget (max_num_batched_tokens, or one image where
    that is larger) holds. Source: vllm 0.19.0 v1/worker/gpu_model_runner.py profile_run; to 0.01 GiB on
    Gemma-3-12b and Mistral-Small-3.1 (llmd205-09, -31).
    """
    vision = deployment.model.vision
    if vision is None or not images_are_profiled(deployment):
        return None
    tokens_each = tokens_of_largest_image(vision, shape.runner)
    images = images_in_profile(deployment, shape, tokens_each)
    if (video := _video_term(deployment, shape)) is not None:
        return video
    pixels = images * tokens_each * vision.spatial_merge**2 * 3 * vision.temporal_patch * vision.patch_size**2
    if vision.image_size is not None:
        pixels = images * 3 * vision.image_size**2
    outputs = images * tokens_each * shape.hidden_size
    return Term(
        "dummy images",
        (pixels + outputs) * shape.element_bytes,
        "images × (pixels + tokens × hidden) × element bytes",
        "vllm 0.19.0 v1/worker/gpu_model_runner.py profile_run",
        f"{images} × ({pixels // max(1, images):,} + {tokens_each:,} × {shape.hidden_size:,}) × {shape.element_bytes}",
    )


QWEN3_VIDEO_TOKENS = 153_600
QWEN3_VIDEO = ">=0.11,<0.14"
"""Qwen3-VL is profiled with one video in these releases, each frame's timestamps among its tokens (vllm issue 27992:
"a budget of 153600 tokens", 10 GB for Qwen3-VL-8B; pull request 30475 ended it)."""


def _video_term(deployment: Deployment, shape: ProfileShape) -> Term | None:
    """The dummy video of Qwen3-VL: what the tower gave, and the same spread over every token of the budget."""
    model = deployment.model
    if not model.model_type.startswith("qwen3_vl") or not holds(QWEN3_VIDEO, deployment.version):
        return None
    limits = deployment.settings.value("limit_mm_per_prompt")
    if isinstance(limits, Mapping) and limits.get("video") == 0:
        return None
    width = shape.hidden_size * (1 + int(model.extra.get("deepstack_layers", 0)))
    return Term(
        "dummy video",
        2 * QWEN3_VIDEO_TOKENS * width * shape.element_bytes,
        "2 × 153,600 × hidden × (1 + levels fed in) × element bytes",
        "vllm 0.11.0 v1/worker/gpu_model_runner.py profile_run",
        f"2 × {QWEN3_VIDEO_TOKENS:,} × {width:,} × {shape.element_bytes}",
    )


def images_are_profiled(deployment: Deployment) -> bool:
    """Whether the profile run encodes images.

    Not where a limit of 0 or language_model_only drops the tower, with skip_mm_profiling, nor by model
    runner V2 before 0.27 (v1/worker/gpu/model_runner.py profile_run).
    """
    settings = deployment.settings
    if settings.flag("language_model_only") or settings.flag("skip_mm_profiling"):
        return False
    if settings.value("model_runner") == "v2" and not holds(V2_PROFILES_IMAGES, deployment.version):
        return False
    limits = settings.value("limit_mm_per_prompt")
    return not isinstance(limits, Mapping) or limits.get("image", 1) != 0


def tokens_of_largest_image(vision: Vision, runner: str) -> int:
    """Tokens that the largest image becomes: as the family says, else its patches after merging.

    V0 bounds images of any size by the context instead (vllm-15783-1 on 0.7.3).
    """
    if vision.tokens_per_image is not None and (runner != "v0" or vision.image_size is not None):
        return vision.tokens_per_image
    side = (vision.image_size or 1024) // vision.patch_size // max(1, vision.spatial_merge)
    return max(1, side * side)


def images_in_profile(deployment: Deployment, shape: ProfileShape, tokens_each: int) -> int:
    """How many images the profile run encodes in one batch."""
    budget = max(shape.tokens, tokens_each)
    limits = deployment.settings.value("limit_mm_per_prompt")
    per_prompt = limits.get("image") if isinstance(limits, Mapping) else None
    allowed = per_prompt if isinstance(per_prompt, int) else 999
    return max(1, min(budget // tokens_each, shape.sequences * allowed))
