"""Asks kvfit 0.3.0: its command line with `--json`. It has the Hub's address built in; it is replaced here."""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

import kvfit.cli
import kvfit.hf
from answering import GIB, answer_all

kvfit.hf.HF_BASE = os.environ["HUB"]
KV_DTYPES = {"fp8": "fp8", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "float16": "fp16", "bfloat16": "bf16"}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    tp, length = question["tensor"], question["max_model_len"]
    arguments = [
        question["model"],
        *("--hardware", f"custom:{question['device_bytes'] / GIB!r}"),
        *("--gpus", str(tp), "--tp", str(tp)),
        *("--context", str(length), "--allow-context-overflow"),
        *("--kv-dtype", KV_DTYPES.get(question["kv_cache_dtype"], "auto")),
        *("--utilization", str(question["fraction"])),
        "--json",
    ]
    printed, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaint):
        status = kvfit.cli.main(arguments)
    if not printed.getvalue():
        return {"reason": f"exit {status}: {complaint.getvalue()[-280:]}"}
    layout = json.loads(printed.getvalue())["layouts"][0]
    if layout["kv_per_sequence_per_rank_gib"] is None:
        return {"reason": layout["reason"], "verdict": "does_not_fit"}
    used = sum(layout[f"{name}_per_rank_gib"] for name in ("weights", "fixed_cache", "runtime_reserve"))
    free = layout["budget_per_rank_gib"] - used
    sequence = layout["kv_per_sequence_per_rank_gib"]
    return {
        "weights_bytes": layout["weights_per_rank_gib"] * GIB,
        "kv_cache_bytes": free * GIB,
        "kv_bytes_per_token": sequence * GIB / length,
        "kv_tokens": free / sequence * length,
        "verdict": "fits" if layout["verdict"] == "fits" else "does_not_fit",
    }


answer_all(answer)
