"""What SGLang sets by the size of the GPU: chunked prefill, CUDA graph batch sizes, the static fraction.

Source: sglang/srt/server_args.py (ServerArgs.__post_init__, since 0.5.3 _handle_gpu_memory_settings,
since 0.5.19 arg_groups/memory_hook.py) of every release from 0.4.0 to 0.5.23. Sizes are MiB, as
there; ``gpu_mib`` is the total that nvidia-smi prints (utils/common.py, get_nvgpu_memory_capacity).
"""

from __future__ import annotations

from dataclasses import dataclass

from servespec.engines.sglang.versions import is_since, newest_row

Tier = tuple[float, int, int, int]
"""GPUs below so many GiB: chunked_prefill_size, cuda_graph_max_bs for tp < 4, and for tp >= 4."""

_TIERS_053: tuple[Tier, ...] = (
    (20, 2048, 8, 8),
    (35, 2048, 16, 80),
    (60, 4096, 32, 160),
    (160, 8192, 256, 512),
    (float("inf"), 16384, 512, 512),
)
# The second tier's graphs grew in 0.5.5 and its chunk in 0.5.19.
TIERS: tuple[tuple[str, tuple[Tier, ...]], ...] = (
    ("0.4.0", ((25_000 / 1024, 2048, 8, 80), (float("inf"), 8192, 160, 160))),
    (
        "0.4.7",
        ((25_000 / 1024, 2048, 8, 80), (180_000 / 1024, 8192, 160, 160), (float("inf"), 16384, 160, 160)),
    ),
    ("0.4.8", ((35, 2048, 8, 80), (160, 8192, 160, 160), (float("inf"), 16384, 160, 160))),
    ("0.5.3", _TIERS_053),
    ("0.5.5", (_TIERS_053[0], (35, 2048, 24, 80), *_TIERS_053[2:])),
    ("0.5.19", (_TIERS_053[0], (35, 4096, 48, 160), *_TIERS_053[2:])),
)
UNKNOWN_TIER: tuple[tuple[str, tuple[int, int]], ...] = (
    ("0.4.0", (8192, 160)),
    ("0.4.8", (4096, 160)),
)

# mem_fraction_static where the GPU's memory is not known (a CPU's without a limit).
UNKNOWN_FRACTION: tuple[tuple[str, float], ...] = (("0.4.0", 0.88), ("0.5.19", 0.95))

# Until 0.4.7: by the number of GPUs that the model is split over.
FIXED_FRACTIONS = ((16, 0.79), (8, 0.81), (4, 0.85), (2, 0.87), (1, 0.88))

# 0.4.8 to 0.5.2: GiB kept back = base + split × share, by the size of the GPU in GiB.
STEPPED_RESERVE = (
    (35, 2.8, 0.1),
    (90, 9.5, 0.5),
    (160, 12.0, 0.5),
    (float("inf"), 32.0, 0.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What the static fraction is worked out from; sizes as ServerArgs has them by then."""

    version: str
    gpu_mib: float | None
    tp_size: int
    pp_size: int
    dp_size: int
    chunked_prefill_size: int
    max_prefill_tokens: int
    cuda_graph_max_bs: int
    has_decode_graphs: bool
    prefill_graphs: int
    is_mla: bool
    enable_dp_attention: bool
    speculative_algorithm: str | None
    uses_deepep: bool = False
    vision_layers: int = 0
    vision_hidden_size: int = 0
    is_multimodal: bool = False


def gpu_tier(version: str, gpu_mib: float | None, tp_size: int) -> tuple[int, int]:
    """(chunked_prefill_size, cuda_graph_max_bs) where neither is given."""
    if gpu_mib is None:
        return newest_row(UNKNOWN_TIER, version)
    for below_gib, chunk, small, large in newest_row(TIERS, version):
        if gpu_mib < below_gib * 1024:
            return chunk, small if tp_size < 4 else large
    raise AssertionError("the last tier has no upper end")


def reserved_mib(given: Capacity) -> float:
    """MiB that SGLang from 0.5.3 keeps back for activations, graphs and metadata."""
    tokens = given.chunked_prefill_size if given.chunked_prefill_size > 0 else given.max_prefill_tokens
    reserved = 512 + max(tokens, 2048) * 1.5 + given.tp_size * given.pp_size / 8 * 1024
    if given.has_decode_graphs or not is_since(given.version, "0.5.15"):
        reserved += given.cuda_graph_max_bs * 2
    if given.enable_dp_attention:
        reserved += given.cuda_graph_max_bs * given.dp_size * 3
        if given.cuda_graph_max_bs > 300:
            reserved += given.cuda_graph_max_bs * given.dp_size * 1.5
    if given.prefill_graphs:
        reserved += (
            1.5 * 1024 if given.is_mla and is_since(given.version, "0.5.10") else given.prefill_graphs * 8
        )
    if given.gpu_mib is not None and given.gpu_mib > 60 * 1024:
        reserved = max(reserved, 10 * 1024)
    if given.uses_deepep and given.has_decode_graphs and is_since(given.version, "0.5.15"):
        reserved += 2 * 1024
    return reserved + _draft_reserve_mib(given)


def _draft_reserve_mib(given: Capacity) -> float:
    """For a draft model and its graphs; since 0.5.14 its weights are measured instead."""
    algorithm = given.speculative_algorithm
    if algorithm is None or is_since(given.version, "0.5.14"):
        return 0.0
    if not is_since(given.version, "0.5.2"):
        return 2 * 1024
    if algorithm == "STANDALONE":
        return 6 * 1024
    if algorithm == "NGRAM" and is_since(given.version, "0.5.3"):
        return 0.0
    return 4 * 1024 if is_since(given.version, "0.5.10") else 2 * 1024


def mem_fraction_static(given: Capacity) -> float:
    """The default of ``mem_fraction_static``: the share of free memory for weights and KV cache."""
    if given.gpu_mib is None:
        fraction = newest_row(UNKNOWN_FRACTION, given.version)
    elif is_since(given.version, "0.5.3"):
        fraction = round((given.gpu_mib - reserved_mib(given)) / given.gpu_mib, 3)
    elif is_since(given.version, "0.4.8"):
        fraction = _stepped_fraction(given, given.gpu_mib)
    else:
        fraction = _fixed_fraction(given, given.gpu_mib)
    return fraction * _vision_factor(given)


def _stepped_fraction(given: Capacity, gpu_mib: float) -> float:
    split = given.tp_size * given.pp_size
    reserved = next(base + split * share for below, base, share in STEPPED_RESERVE if gpu_mib < below * 1024)
    reserved = reserved * 1024 + _draft_reserve_mib(given)
    if given.enable_dp_attention:
        reserved += 4 * 1024
    return round((gpu_mib - reserved) / gpu_mib, 3)


def _fixed_fraction(given: Capacity, gpu_mib: float) -> float:
    split = given.tp_size * (given.pp_size if is_since(given.version, "0.4.6.post1") else 1)
    fraction = next(value for ranks, value in FIXED_FRACTIONS if split >= ranks)
    if not is_since(given.version, "0.4.6"):
        return fraction
    if not is_since(given.version, "0.4.6.post1"):
        return fraction if gpu_mib <= 81920 else (gpu_mib - 1024 * 13) / gpu_mib
    if gpu_mib > 81920:
        fraction = 0.88
    speculates = given.speculative_algorithm is not None and is_since(given.version, "0.4.7")
    if is_since(given.version, "0.4.7") and gpu_mib > 180_000:
        return 0.79
    if gpu_mib > 96 * 1024:
        reserve = 1024 * (20 if speculates else 18)
        return min(fraction + 48 * 1024 * (1 - fraction) / gpu_mib, (gpu_mib - reserve) / gpu_mib)
    return fraction * 0.95 if speculates else fraction


def _vision_factor(given: Capacity) -> float:
    """Room for the image encoder: 0.95, less for towers larger than ViT-L/14 (adjust_mem_fraction_for_vlm)."""
    if not given.is_multimodal or not is_since(given.version, "0.4.9"):
        return 1.0
    if not is_since(given.version, "0.4.9.post1"):
        return 0.9
    if not given.vision_layers:
        return 1.0
    size = given.vision_layers * given.vision_hidden_size**2 / (24 * 1024**2)
    return 0.95 * max(0.8, min(1.05, 1.0 - 0.1 * (size - 1.0)))
