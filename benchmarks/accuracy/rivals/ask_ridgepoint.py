"""Asks ridgepoint 0.1.2: `ridgepoint.fit`, what `ridgepoint fit --json` prints.

It counts parameters from the safetensors header under an address that is built in; requests for it are sent to the
loopback. It sizes a quantized model from the parameters and `--dtype`: it is shown the model before quantization.
"""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

from answering import HUB, answer_all

SHOWN = os.environ["HUB"] + "/unquantized"
os.environ["HF_ENDPOINT"] = SHOWN

import ridgepoint  # noqa: E402

_open = urllib.request.urlopen


def _to_loopback(request: urllib.request.Request, **options: Any) -> Any:
    request.full_url = request.full_url.replace(HUB, SHOWN)
    return _open(request, **options)


urllib.request.urlopen = _to_loopback  # type: ignore[assignment]

# Its ids of GPUs that the cases name; others it does not know.
GPUS = {
    "H100-80GB": "h100-80gb",
    "H200-141GB": "h200-141gb",
    "A100-80GB": "a100-80gb",
    "A100-40GB": "a100-40gb",
    "L40S-48GB": "l40s-48gb",
    "RTX-3090-24GB": "rtx3090-24gb",
    "RTX-4090-24GB": "rtx4090-24gb",
    "RTX-5090-32GB": "rtx5090-32gb",
    "B200-180GB": "b200-192gb",
    "MI300X-192GB": "mi300x-192gb",
}
DTYPES = {"fp8": "fp8", "awq": "awq", "gptq": "gptq-int4", "int4": "gptq-int4", "fp4": "awq", "int8": "q8_0"}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    count, length = question["tensor"], question["max_model_len"]
    printed = ridgepoint.fit(
        question["model"],
        GPUS.get(question["gpu"], question["gpu"]),
        count=count,
        engine=question["engine"],
        dtype=DTYPES[question["weight_class"]] if question["weight_class"] else "fp16",
        kv_cache_dtype="fp8" if question["kv_cache_dtype"].startswith("fp8") else "fp16",
        ctx=length,
        as_json=True,
    )
    found = json.loads(printed)
    pool = found["memory"]["kv_pool_bytes"]["best"]
    per_token = found["capacity"]["bytes_per_seq"] / length
    return {
        "weights_bytes": found["memory"]["weights_bytes"]["best"] / count,
        "kv_cache_bytes": pool / count,
        "kv_bytes_per_token": per_token / count,
        "kv_tokens": pool / per_token,
        "verdict": "fits" if found["verdict"]["serves"] else "does_not_fit",
    }


answer_all(answer)
