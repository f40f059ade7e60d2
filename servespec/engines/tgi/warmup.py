"""The warm-up batch: the largest prefill that there can be, with KV blocks of its own.

Source: backends/v3/src/client/grpc_client.rs (router/client/src/client.rs before 2.1) warmup;
server models/flash_causal_lm.py warmup and generate_token; layers/tensor_parallel.py TensorParallelHead.
"""

from __future__ import annotations

from dataclasses import dataclass

from servespec.deployment import Deployment
from servespec.engines.tgi.policies import LAZY_KERNELS, is_since
from servespec.memory.budget import Term
from servespec.memory.shards import ceil_div, round_up, shard_shape
from servespec.models.facts import TensorKind

GIB = 2**30
MIB = 2**20

# Fitted on three published logs (Llama-3.1-70B on 2 × A100, Mixtral-8x22B on 4 × H100, gemma-3-27b on 2 × A6000):
# what remains once weights and live tensors are accounted for is 0.35 GiB for each shard.
NCCL_BYTES_PER_SHARD = round(0.35 * GIB)
# Images before 2.3 have CUDA 11.8 or 12.1, which load every kernel of every library into the context
# (starcoderbase on an A100: 1.0 GiB more than later images).
EAGER_KERNELS_BYTES = round(1.0 * GIB)
EXLLAMA_ROWS = 2048  # server utils/gptq/exllama.py, create_exllama_buffers
FLASHINFER_WORKSPACE_BYTES = 128 * MIB  # server layers/attention/flashinfer.py, workspace
SPREAD_BYTES = round(0.35 * GIB)
EAGER_SPREAD_BYTES = round(0.5 * GIB)
OLD_CARD_SPREAD_BYTES = round(0.5 * GIB)  # no start-up on a card before Ampere is known


@dataclass(frozen=True, slots=True)
class WarmupBatch:
    """``prefill_tokens`` in ``requests``, and ``tokens`` of KV blocks for prompts and completions."""

    prefill_tokens: int
    requests: int
    tokens: int


def warmup_batch(deployment: Deployment) -> WarmupBatch:
    """Requests of the longest prompt until ``max_batch_prefill_tokens`` are reached."""
    settings = deployment.settings
    budget = max(1, settings.integer("max_batch_prefill_tokens"))
    longest, total = settings.value("max_input_tokens"), settings.value("max_total_tokens")
    most = settings.value("max_batch_size")
    prompt = min(budget, max(1, longest)) if isinstance(longest, int) else budget
    full, rest = divmod(budget, prompt)
    if isinstance(most, int) and most >= 1 and full + bool(rest) > most:
        full, rest = most, 0

    def kept(tokens: int) -> int:
        # The last token that is generated needs no slot.
        completion = max(1, total - tokens) if isinstance(total, int) else 1
        return round_up(tokens + completion - 1, settings.integer("block_size"))

    seen, requests = full * prompt + rest, full + bool(rest)
    tokens = full * kept(prompt) + (kept(rest) if rest else 0)
    return WarmupBatch(prefill_tokens=seen, requests=requests, tokens=tokens)


def activation(deployment: Deployment, batch: WarmupBatch) -> Term:
    """Live tensors of the warm-up's forward pass.

    A layer: 6 × (hidden + intermediate of the shard) bytes a token, experts' copies counted once for each that is
    active. The logits of every prompt token, gathered, then once more as log-probabilities.
    """
    settings, model = deployment.settings, deployment.model
    shards = settings.integer("num_shard")
    tokens = batch.prefill_tokens
    inner = ceil_div(model.intermediate_size, shards)
    if model.moe is not None and model.moe.layers:
        experts = model.moe.experts_per_token * (
            3 * ceil_div(model.moe.intermediate_size, shards) + model.hidden_size
        )
        layer = tokens * 2 * (3 * model.hidden_size + max(experts, 3 * inner))
    else:
        layer = tokens * 6 * (model.hidden_size + inner)
    rows = tokens if settings.flag("enable_prefill_logprobs") else batch.requests
    logits = round(rows * model.vocab_size * 2 * (2 + (1 / shards if shards > 1 else 0)))
    # get_attention_mask of flash_gemma3_modeling.py: six square masks of one byte for each request.
    masks = 6 * tokens**2 // batch.requests if model.model_type == "gemma3" else 0
    image = _vision_scores(deployment, shards)
    workspace = FLASHINFER_WORKSPACE_BYTES if settings.value("attention") == "flashinfer" else 0
    exllama = _exllama_buffers(deployment, shards)
    size = layer + logits + masks + workspace + image + exllama
    return Term(
        name="activation",
        size_bytes=size,
        formula="prefill tokens × 6 × (hidden + intermediate ÷ shards) + logits × vocabulary × 2 × copies + workspace",
        numbers=f"{layer:,} + {logits:,} + {masks + workspace + image + exllama:,}",
        source="TGI models/flash_causal_lm.py warmup",
        uncertainty_bytes=round(0.15 * size),
        parts=(
            Term("layer", layer, "live tensors of one layer", "models/custom_modeling"),
            Term("logits", logits, "rows × vocabulary × 2 bytes × copies", "layers/tensor_parallel.py"),
            Term("attention", masks + workspace, "masks and workspace", "layers/attention"),
            Term(
                "image", image, "heads ÷ shards × patches² × 8", "models/custom_modeling/siglip.py, clip.py"
            ),
        ),
    )


def _vision_scores(deployment: Deployment, shards: int) -> int:
    """Attention scores of the image in the first request: two in the model's type, one in float32.

    Towers of a fixed image size attend with matrix products; the others have flash attention.
    """
    vision = deployment.model.vision
    if vision is None or not vision.image_size:
        return 0
    patches = (vision.image_size // vision.patch_size) ** 2
    return ceil_div(vision.heads, shards) * patches**2 * 8


def _exllama_buffers(deployment: Deployment, shards: int) -> int:
    """Exllama dequantizes the largest matrix for a prefill, and reorders 2,048 rows of input for act-order."""
    if deployment.settings.value("quantize") != "gptq":
        return 0
    shapes = [
        shard_shape(group, shards)
        for group in deployment.model.tensors
        if group.kind is TensorKind.linear and group.layers and len(group.shape) == 2
    ]
    largest = max((outputs * inputs for outputs, inputs in shapes), default=0)
    widest = max((inputs for _, inputs in shapes), default=0)
    return 2 * largest + EXLLAMA_ROWS * widest * 2


def non_torch(deployment: Deployment) -> Term:
    """CUDA context and, between shards, NCCL."""
    shards = deployment.settings.integer("num_shard")
    eager = deployment.gpu.kind == "cuda" and not is_since(deployment.version, LAZY_KERNELS)
    context = deployment.gpu.used_bytes + (EAGER_KERNELS_BYTES if eager else 0)
    nccl = NCCL_BYTES_PER_SHARD * shards if shards > 1 else 0
    is_old = (deployment.gpu.compute_capability or (0, 0)) < (8, 0)
    held = round(deployment.spec.hardware.reserved_gib * GIB)
    return Term(
        name="non-torch",
        size_bytes=context + nccl + held,
        formula="CUDA context + NCCL between shards + what other processes hold",
        numbers=f"{context:,} + {nccl:,} + {held:,}",
        source="fitted on four published logs (1.0 to 3.3.4)",
        uncertainty_bytes=SPREAD_BYTES
        + (EAGER_SPREAD_BYTES if eager else 0)
        + (OLD_CARD_SPREAD_BYTES if is_old else 0)
        + nccl // 4,
    )
