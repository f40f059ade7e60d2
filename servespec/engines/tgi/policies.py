"""What changed from release to release of TGI, as tables read off its tagged sources."""

from __future__ import annotations

from typing import TypeVar

from servespec.rules.versions import version_key

T = TypeVar("T")

# server models/globals.py TGI_WIGGLE_ROOM; before 2.3.0 the 0.95 stood in models/flash_causal_lm.py.
WIGGLE_ROOM: tuple[tuple[str, float], ...] = (
    ("1.0.0", 1.0),
    ("1.4.1", 0.95),
    ("2.4.0", 0.90),
    ("3.0.0", 0.95),
    ("3.1.0", 0.93),
    ("3.3.0", 0.90),
)

# models/flash_causal_lm.py warmup: the wiggle room is taken of the whole device since 3.0, of what is free before.
WIGGLE_OF_DEVICE = "3.0.0"

# launcher/src/main.rs: limits left unset are worked out from the card and after the warm-up.
COMPUTED_LIMITS = "3.0.0"

# launcher/src/main.rs of 1.x: default_value of the flags; from 2.0 to 2.4 of the model, at most 4096.
FIXED_INPUT, FIXED_TOTAL, FIXED_PREFILL = 1024, 2048, 4096
LIMITS_FROM_MODEL = "2.0.0"
MODEL_LIMIT = 4096
PREFILL_EDGE = 50

# launcher/src/main.rs resolve_attention: before 2.3 pages of 16 tokens.
ATTENTION_IS_CHOSEN = "2.3.0"
BLOCK_SIZES = {"flashdecoding": 256, "flashinfer": 1, "flashdecoding-ipex": 64, "paged": 16}
FLASHINFER_HEAD_DIMS = frozenset({64, 128, 256})
NEEDS_FALLBACK: tuple[tuple[str, frozenset[str]], ...] = (
    ("2.3.0", frozenset({"gemma2", "falcon", "deepseek_v2"})),
    ("2.4.0", frozenset({"falcon", "deepseek_v2"})),
)

# models/flash_causal_lm.py: logits of every prompt token in the warm-up, unless REQUEST_LOGPROBS is off (3.0).
PROMPT_LOGITS_UNTIL = "3.0.0"

# Dockerfile: CUDA 11.8 and 12.1 before 2.3, 12.4 since; kernels are loaded lazily from 12.2 on.
LAZY_KERNELS = "2.3.0"

# launcher/src/main.rs, impl ComputeType: f16 FLOP/s by the card's name as nvidia-smi prints it, in lower
# case with dashes. Names that no driver prints (nvidia-4090, nvidia-t4) are left out.
CARD_TERAFLOPS_30 = {
    "nvidia-l4": 121,
    "nvidia-l40": 181,
    "nvidia-l40s": 363,
    "nvidia-a10g": 125,
    "nvidia-h100-80gb-hbm3": 900,
    "nvidia-a100-sxm4-80gb": 312,
}
CARD_TERAFLOPS: tuple[tuple[str, dict[str, int]], ...] = (
    ("3.0.0", CARD_TERAFLOPS_30),
    (
        "3.1.0",
        {
            **CARD_TERAFLOPS_30,
            "nvidia-a40": 149,
            "nvidia-h100-nvl": 900,
            "nvidia-a100-sxm4-40gb": 312,
            "nvidia-a100-80gb-pcie": 312,
            "nvidia-h200": 989,
        },
    ),
)

# launcher/src/main.rs: prefill tokens where the card or the model is not known to it.
UNKNOWN_PREFILL = 4096
VISION_PREFILL: tuple[tuple[str, dict[str, int]], ...] = (
    ("3.0.0", {}),
    ("3.2.0", {"qwen2_vl": 10_000, "qwen2_5_vl": 10_000, "gemma3": 8000}),
)

DEFAULT_CUDA_GRAPHS = (1, 2, 4, 8, 16, 32)
CUDA_GRAPHS_SINCE = "2.0.0"


def is_since(version: str, first: str) -> bool:
    """Whether ``version`` is ``first`` or later."""
    return version_key(version) >= version_key(first)


def by_version(table: tuple[tuple[str, T], ...], version: str) -> T:
    """The value of the last row that has come by ``version``; the first row's before all."""
    rows = [value for first, value in table if is_since(version, first)]
    return rows[-1] if rows else table[0][1]
