"""Asks chimeraforge 0.76.0: its resolver and its `VRAMModel`, the arithmetic behind `chimeraforge plan`.

The Hub's address is built in; it is replaced here. Quantization is its name for it, on the model before quantization.
"""

from __future__ import annotations

import os
from typing import Any

from answering import GIB, answer_all
from chimeraforge.planner import checkpoint
from chimeraforge.planner.models import load_bundled_models
from chimeraforge.planner.resolver import resolve_spec

checkpoint.HUB = os.environ["HUB"] + "/unquantized"
QUANTS = {"fp8": "FP8", "awq": "AWQ", "gptq": "GPTQ", "int4": "GPTQ", "fp4": "AWQ", "int8": "Q8_0"}
VRAM = load_bundled_models().vram


def answer(question: dict[str, Any]) -> dict[str, Any]:
    spec = resolve_spec(question["model"], use_cache=False)
    arch = spec.arch if isinstance(spec.arch, dict) else spec.arch()
    tp, pp, length = question["tensor"], question["pipeline"], question["max_model_len"]
    quant = QUANTS[question["weight_class"]] if question["weight_class"] else "FP16"
    kv_bytes = 1.0 if question["kv_cache_dtype"].startswith("fp8") else 2.0
    common = {"params_b": spec.params_b, "arch": arch, "kv_bytes": kv_bytes, "tp": tp, "pp": pp}
    used = VRAM.predict(spec.name, quant, length, batch_size=0, **common)
    one = VRAM.predict(spec.name, quant, length, batch_size=1, **common)
    device = question["device_bytes"] / GIB
    free = device * question["fraction"] - used
    sequence = one - used
    return {
        "weights_bytes": spec.weight_gb(quant) * 1e9 / (tp * pp),
        "kv_cache_bytes": free * GIB,
        "kv_bytes_per_token": sequence * GIB / length,
        "kv_tokens": free / sequence * length,
        "verdict": "fits" if one <= device else "does_not_fit",
    }


answer_all(answer)
