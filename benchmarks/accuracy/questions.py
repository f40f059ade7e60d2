"""What each rival is asked of a case: the inputs that servespec has, defaults of the engine's version filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.predict import Reports, target_of

FRACTIONS = ("gpu_memory_utilization", "mem_fraction_static", "cuda_memory_fraction")
LENGTHS = ("max_model_len", "context_length", "max_total_tokens")
BATCHED = ("max_num_batched_tokens", "chunked_prefill_size", "max_batch_prefill_tokens")
# Methods and formats → the class of weights by which tools name them.
WEIGHT_CLASSES = {
    "awq": "awq",
    "gptq": "gptq",
    "fp8": "fp8",
    "mxfp8": "fp8",
    "nvfp4": "fp4",
    "mxfp4": "fp4",
    "eetq": "int8",
    "int-quantized": "int8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One case as a rival gets it. Lengths are tokens, ``fraction`` is of the device's memory.

    ``quantization`` is the checkpoint's own method, ``online_quantization`` what the engine does while it loads,
    ``weight_class`` what either comes to (fp8, awq, gptq, int4, int8, fp4; None without).
    """

    id: str
    engine: str
    model: str
    gpu: str
    device_bytes: int
    fraction: float
    tensor: int
    pipeline: int
    max_model_len: int
    batched_tokens: int | None
    block_size: int
    dtype: str
    kv_cache_dtype: str
    quantization: str | None
    online_quantization: str | None
    weight_class: str | None


def hub_id(case: Case) -> str:
    """The repository that the case's configuration belongs to."""
    stem = str(case.spec["model"]["config"]).removesuffix("_config.json")
    return stem.replace("--", "/", 1)


def questions(
    cases: Sequence[Case], found: Reports, weight_formats: Mapping[str, tuple[str, int] | None]
) -> tuple[Question, ...]:
    """The questions of all cases; ``weight_formats`` has each repository's (format, bits) of most weights."""
    return tuple(_question(case, found[case.id], weight_formats[hub_id(case)]) for case in cases)


def _question(case: Case, entry: Mapping[str, Any], weight_format: tuple[str, int] | None) -> Question:
    target = target_of(case, entry)
    if target is None or not target.get("memory"):
        raise ValueError(f"{case.id} has no budget that names the device's memory")
    settings = {key: setting["value"] for key, setting in target["settings"].items()}
    spec = case.spec
    parallel = spec.get("parallel") or {}
    limits = spec.get("limits") or {}
    online = spec["model"].get("quantization") if weight_format is None else None
    return Question(
        id=case.id,
        engine=case.engine,
        model=hub_id(case),
        gpu=case.gpu,
        device_bytes=target["memory"]["device_bytes"],
        fraction=_first(settings, FRACTIONS, limits.get("gpu_memory_fraction")),
        tensor=parallel.get("tensor", 1),
        pipeline=parallel.get("pipeline", 1),
        max_model_len=_first(settings, LENGTHS, limits.get("max_model_len") or 4096),
        batched_tokens=_first(settings, BATCHED, limits.get("max_batched_tokens")),
        block_size=settings.get("block_size") or 16,
        dtype=settings.get("dtype") or "auto",
        kv_cache_dtype=settings.get("kv_cache_dtype") or "auto",
        quantization=None if weight_format is None else weight_format[0],
        online_quantization=online,
        weight_class=_weight_class(weight_format, online),
    )


def _weight_class(weight_format: tuple[str, int] | None, online: str | None) -> str | None:
    if weight_format is None:
        return WEIGHT_CLASSES.get(online, "int4") if online else None
    name, bits = weight_format
    return WEIGHT_CLASSES.get(name, "int8" if bits == 8 else "int4")


def _first(settings: Mapping[str, Any], names: Sequence[str], otherwise: Any) -> Any:
    return next((settings[name] for name in names if settings.get(name) is not None), otherwise)
