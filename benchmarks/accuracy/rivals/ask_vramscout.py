"""Asks vramscout 0.7.0: `plan_modern`, what `vramscout MODEL --json` prints."""

from __future__ import annotations

import os
from typing import Any

from answering import GIB, answer_all

os.environ["HF_ENDPOINT"] = os.environ["HUB"]

from vramscout.modern_v07 import plan_modern

NOT_CACHE = ("Model weights / rank", "CUDA / runtime", "Prefill scratch", "Safety reserve")
KV_DTYPES = {"fp8": "fp8", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "float16": "fp16", "bfloat16": "bf16"}
# Its choices of --dtype; a checkpoint that is quantized already is left to it (auto).
ONLINE = {"fp8": "fp8", "bitsandbytes": "int4"}
DTYPES = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    weight_dtype = "auto"
    if question["online_quantization"]:
        weight_dtype = ONLINE[question["online_quantization"]]
    elif not question["quantization"]:
        weight_dtype = DTYPES.get(question["dtype"], "auto")
    plan = plan_modern(
        question["model"],
        context=question["max_model_len"],
        weight_dtype=weight_dtype,
        kv_dtype=KV_DTYPES.get(question["kv_cache_dtype"], "auto"),
        tp=question["tensor"],
        vram_gib=question["device_bytes"] / GIB,
        prefill_chunk=question["batched_tokens"] or 8192,
        engine="vllm",
        gpu_memory_utilization=question["fraction"],
    )
    fixed = sum(plan.parts_gib[name] for name in NOT_CACHE)
    cache = sum(size for name, size in plan.parts_gib.items() if name not in NOT_CACHE)
    free = plan.memory_budget_gib - fixed
    return {
        "weights_bytes": plan.parts_gib["Model weights / rank"] * GIB,
        "activation_bytes": plan.parts_gib["Prefill scratch"] * GIB,
        "kv_cache_bytes": free * GIB,
        "kv_bytes_per_token": cache * GIB / plan.context,
        "kv_tokens": free / cache * plan.context,
        "verdict": "fits" if plan.fits else "does_not_fit",
    }


answer_all(answer)
