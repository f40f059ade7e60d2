"""Deployments for tests, from configurations written here and from the catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from servespec.deployment import Deployment
from servespec.engines.base import Inputs
from servespec.engines.vllm.defaults import resolve
from servespec.hardware import find
from servespec.models import facts_from_config
from servespec.models.facts import ModelFacts
from servespec.spec.model import Spec

DATA = Path(__file__).parents[3] / "data"

LLAMA_8B: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
}
QWEN3_06B: Mapping[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "torch_dtype": "bfloat16",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "rope_theta": 1000000,
    "tie_word_embeddings": True,
}
PHI_4: Mapping[str, Any] = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "torch_dtype": "bfloat16",
    "hidden_size": 5120,
    "intermediate_size": 17920,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 10,
    "vocab_size": 100352,
    "max_position_embeddings": 16384,
    "rope_theta": 250000,
    "tie_word_embeddings": False,
}
GEMMA3_27B: Mapping[str, Any] = {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "torch_dtype": "bfloat16",
    "hidden_size": 5376,
    "intermediate_size": 21504,
    "num_hidden_layers": 62,
    "num_attention_heads": 32,
    "num_key_value_heads": 16,
    "head_dim": 128,
    "vocab_size": 262208,
    "max_position_embeddings": 131072,
    "sliding_window": 1024,
    "sliding_window_pattern": 6,
    "rope_theta": 1000000.0,
    "rope_local_base_freq": 10000.0,
    "query_pre_attn_scalar": 168,
    "tie_word_embeddings": True,
}
MIXTRAL: Mapping[str, Any] = {
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "torch_dtype": "bfloat16",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "vocab_size": 32000,
    "max_position_embeddings": 32768,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
}


def facts(config: Mapping[str, Any] = LLAMA_8B) -> ModelFacts:
    """Facts of a configuration."""
    return facts_from_config(config, id="org/model", source="test")


def deploy(
    *,
    config: Mapping[str, Any] = LLAMA_8B,
    gpu: str = "H100-80GB",
    version: str = "0.25.1",
    args: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    **sections: Any,
) -> Deployment:
    """A deployment of ``config``; ``sections`` are those of the spec (limits, parallel, kv_cache …)."""
    hardware = {"gpu": gpu, "count": 8, **sections.pop("hardware", {})}
    document = {
        "servespec": "v1",
        "name": "test",
        "model": {"id": "org/model", **sections.pop("model", {})},
        "hardware": hardware,
        "targets": {"vllm": {"version": version, "args": dict(args or {}), "env": dict(env or {})}},
        **sections,
    }
    spec = Spec.model_validate_json(json.dumps(document))
    target = spec.targets["vllm"]
    device = find(gpu, spec.hardware.memory_gib)
    model = facts(config)
    inputs = Inputs(spec=spec, target=target, version=version, model=model, gpu=device)
    return Deployment(
        spec=spec,
        engine="vllm",
        version=version,
        asked_version=version,
        target=target,
        model=model,
        gpu=device,
        settings=resolve(inputs).settings,
    )


def args_of(argv: Sequence[str]) -> dict[str, Any]:
    """A command line's flags as ``targets.vllm.args``."""
    found: dict[str, Any] = {}
    words = list(argv)
    while words:
        name = words.pop(0).lstrip("-").replace("-", "_")
        if words and not words[0].startswith("-"):
            word = words.pop(0)
            try:
                found[name] = json.loads(word)
            except json.JSONDecodeError:
                found[name] = word
        else:
            found[name] = True
    return found


def oracle_rows(name: str) -> list[dict[str, Any]]:
    """Rows measured on the real engine for CPU (tests/data)."""
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
