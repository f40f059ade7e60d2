"""NVIDIA ModelOpt: hf_quant_config.json, or the same inside config.json (vLLM 0.32.0 quantization/modelopt.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servespec.errors import UnmodelledError
from servespec.models.config import Config
from servespec.models.facts import Quantization, WeightFormat
from servespec.models.quantization.compressed_tensors import kv_cache_dtype

# Places that vLLM leaves alone though the lists of older ModelOpt versions do not name them
# (modelopt.py get_quant_method), whatever the algorithm.
TOWERS = "re:.*(vision_tower|vision_model|vit_large_projector)"


def weight_format(algorithm: str, group_size: int | None) -> WeightFormat:
    """The storage that a ``quant_algo`` stands for. Raises UnmodelledError."""
    algorithm = algorithm.upper()
    if algorithm == "FP8":
        return WeightFormat(
            name="fp8",
            bits=8,
            scale_dtype="float32",
            per_tensor_scale=True,
            input_scale=True,
            activation_bits=8,
        )
    if algorithm == "FP8_PER_CHANNEL_PER_TOKEN":
        return WeightFormat(name="fp8", bits=8, scale_dtype="float32", activation_bits=8, input_dynamic=True)
    if algorithm in ("FP8_PB_WO", "FP8_PB_REAL"):
        side = group_size or 128
        return WeightFormat(
            name="fp8",
            bits=8,
            block=(side, side),
            scale_dtype="float32",
            activation_bits=8,
            input_dynamic=True,
        )
    if algorithm in ("NVFP4", "W4A16_NVFP4", "NVFP4_AWQ"):
        weights_only = algorithm == "W4A16_NVFP4"
        return WeightFormat(
            name="nvfp4",
            bits=4,
            group_size=group_size or 16,
            scale_dtype="float8_e4m3fn",
            global_scale=True,
            input_scale=not weights_only,
            activation_bits=None if weights_only else 4,
        )
    if algorithm == "MXFP8":
        return WeightFormat(name="mxfp8", bits=8, group_size=32, scale_dtype="uint8", activation_bits=8)
    if algorithm in ("W4A16_AWQ", "INT4_AWQ"):
        return WeightFormat(
            name="pack-quantized", bits=4, group_size=group_size or 128, scale_dtype="float16"
        )
    raise UnmodelledError(f"quantization modelopt {algorithm[:40]}")


def layer_formats(layers: Mapping[str, Any]) -> tuple[tuple[str, WeightFormat], ...]:
    """The formats of ``quantized_layers``."""
    known: dict[tuple[str, int | None], WeightFormat] = {}
    formats = []
    for module, recipe in layers.items():
        if not isinstance(recipe, Mapping):
            continue
        size = recipe.get("group_size")
        key = (str(recipe.get("quant_algo")), size if isinstance(size, int) and size > 0 else None)
        if key not in known:
            known[key] = weight_format(*key)
        formats.append((module, known[key]))
    return tuple(formats)


def parse(config: Config) -> Quantization:
    """Both spellings: ``{"quantization": {…}}``, and the keys directly inside quantization_config."""
    inner = Config(config.mapping("quantization"), path=f"{config.path}quantization.")
    source = inner if inner.values else config
    algorithm = source.text("quant_algo").upper()
    if not algorithm:
        raise UnmodelledError("quantization modelopt without a quant_algo")
    ignored = source.words("exclude_modules") if source.has("exclude_modules") else source.words("ignore")
    if algorithm == "MIXED_PRECISION":
        formats = layer_formats(source.mapping("quantized_layers"))
        if not formats:
            raise UnmodelledError("quantization modelopt MIXED_PRECISION without quantized_layers")
    else:
        formats = (("*", weight_format(algorithm, _group_size(source))),)
    kv = source.text("kv_cache_quant_algo") if source.has("kv_cache_quant_algo") else ""
    return Quantization(
        method="modelopt",
        formats=formats,
        ignored=(*ignored, TOWERS),
        kv_cache_dtype=("fp8" if kv.upper() == "FP8" else kv.lower()) if kv else _kv_scheme(source),
        lm_head=True,
        towers=True,
    )


def _group_size(source: Config) -> int | None:
    if source.has("group_size"):
        return source.size("group_size")
    for group in source.mapping("config_groups").values():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            own = Config(weights, path=source.path)
            return own.size("group_size") if own.has("group_size") else None
    return None


def _kv_scheme(source: Config) -> str | None:
    scheme = source.raw("kv_cache_scheme")
    if isinstance(scheme, str):  # one published checkpoint spells it out
        return "fp8" if scheme.upper() == "FP8" else scheme.lower()
    return kv_cache_dtype(source.mapping("kv_cache_scheme"))
