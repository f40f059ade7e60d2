"""Asks hf-mem 0.5.6: `hf_mem.run`, what `hf-mem --experimental --json-output` prints.

The Hub's address is built in; requests for it are sent to the loopback.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import httpx2
from answering import HUB, answer_all
from hf_mem.run import run

_get = httpx2.AsyncClient.get


async def _to_loopback(self: Any, url: str, **options: Any) -> Any:
    return await _get(self, str(url).replace(HUB, os.environ["HUB"]), **options)


httpx2.AsyncClient.get = _to_loopback  # type: ignore[method-assign]
warnings.simplefilter("ignore")
KV_DTYPES = {"fp8": "fp8", "fp8_e4m3": "fp8_e4m3", "fp8_e5m2": "fp8_e5m2", "bfloat16": "bfloat16"}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    ranks, length = question["tensor"] * question["pipeline"], question["max_model_len"]
    try:
        found = run(
            question["model"],
            experimental=True,
            max_model_len=length,
            kv_cache_dtype=KV_DTYPES.get(question["kv_cache_dtype"], "auto"),
        )
    except Exception as reason:
        # The experimental part fails for some models; the weights are still answered without it.
        found = run(question["model"])
        return {"weights_bytes": found.memory / ranks, "reason": f"{type(reason).__name__}: {reason}"[:300]}
    cache = found.kv_cache / length / ranks if found.kv_cache else None
    return {"weights_bytes": found.memory / ranks, "kv_bytes_per_token": cache}


answer_all(answer)
