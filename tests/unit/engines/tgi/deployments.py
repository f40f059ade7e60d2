"""Deployments for tests, from configurations written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servespec.deployment import Deployment
from servespec.engines.base import Inputs
from servespec.engines.tgi import ENGINE
from servespec.hardware import find
from servespec.models.build import facts_from_config
from servespec.spec.model import Spec

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
}
LLAMA_70B = {
    **LLAMA_8B,
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
}


def deploy(
    *,
    config: Mapping[str, Any] = LLAMA_8B,
    gpu: str = "A100-80GB",
    version: str = "3.3.7",
    args: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    **sections: Any,
) -> Deployment:
    """A deployment of ``config``; ``sections`` are those of the spec (limits, parallel, kv_cache …)."""
    spec = Spec.model_validate(
        {
            "servespec": "v1",
            "name": "test",
            "model": {"id": "org/model", **sections.pop("model", {})},
            "hardware": {"gpu": gpu, **sections.pop("hardware", {})},
            "targets": {"tgi": {"version": version, "args": dict(args or {}), "env": dict(env or {})}},
            **sections,
        }
    )
    inputs = Inputs(
        spec=spec,
        target=spec.targets["tgi"],
        version=ENGINE.nearest_version(version),
        model=facts_from_config(config, id="org/model", source="test"),
        gpu=find(spec.hardware.gpu, spec.hardware.memory_gib),
    )
    return Deployment(
        spec=spec,
        engine="tgi",
        version=inputs.version,
        asked_version=version,
        target=inputs.target,
        model=inputs.model,
        gpu=inputs.gpu,
        settings=ENGINE.resolve(inputs).settings,
    )
