"""Asks llm-d-planner 0.3.3: `planner.capacity_planner`, the functions behind its `/calculate` and its command line."""

from __future__ import annotations

import os
from typing import Any

from answering import GIB, answer_all

os.environ["HF_ENDPOINT"] = os.environ["HUB"]

import planner.capacity_planner as planner
from huggingface_hub import hf_hub_download
from transformers import PretrainedConfig


def configuration(model: str) -> Any:
    """The configuration as the planner reads it; the bare file where transformers has no class for it."""
    try:
        return planner.get_model_config_from_hf(model)
    except Exception:
        import json
        from pathlib import Path

        return bare(json.loads(Path(hf_hub_download(model, "config.json")).read_text(encoding="utf-8")))


def bare(fields: dict[str, Any]) -> PretrainedConfig:
    """A configuration of no class, with the text model's part as the planner looks for it."""
    text = fields.pop("text_config", None)
    config = PretrainedConfig()
    for key, value in fields.items():
        setattr(config, key, value)
    if isinstance(text, dict):
        config.text_config = bare(text)
    return config


def answer(question: dict[str, Any]) -> dict[str, Any]:
    config = configuration(question["model"])
    tp, pp = question["tensor"], question["pipeline"]
    where = {"gpu_memory": question["device_bytes"] / GIB, "tp": tp, "pp": pp}
    length = question["max_model_len"]
    allocatable = planner.allocatable_kv_cache_memory(
        question["model"], config, gpu_util=question["fraction"], max_model_len=length, **where
    )
    blocks = planner.total_kv_cache_blocks(
        question["model"],
        config,
        length,
        gpu_mem_util=question["fraction"],
        block_size=question["block_size"],
        **where,
    )
    weights = planner.per_gpu_model_memory_required(question["model"], config, tp, pp)
    cache = planner.KVCacheDetail(question["model"], config, length, 1)
    tokens = blocks * question["block_size"]
    return {
        "weights_bytes": weights * GIB,
        "activation_bytes": planner.estimate_vllm_activation_memory(config, tp=tp) * GIB,
        "kv_cache_bytes": allocatable * GIB / (tp * pp),
        "kv_bytes_per_token": cache.per_token_memory_bytes / (tp * pp),
        "kv_tokens": tokens,
        "verdict": "fits" if tokens >= length else "does_not_fit",
    }


answer_all(answer)
