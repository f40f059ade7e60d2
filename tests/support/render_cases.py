"""Values that tests of rendering share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from servespec.deployment import Deployment, Settings
from servespec.engines.launch import Cluster, ContainerImage, Launch, Variable
from servespec.hardware.gpu import GPU
from servespec.models.facts import ModelFacts
from servespec.spec.model import Spec, Target

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"

MODEL = ModelFacts(
    id="org/model",
    source="test",
    architecture="LlamaForCausalLM",
    model_type="llama",
    family="llama",
    dtype="bfloat16",
    hidden_size=64,
    intermediate_size=128,
    layers=2,
    attention_heads=4,
    kv_heads=2,
    head_dim=16,
    vocab_size=256,
    context_tokens=2048,
    tensors=(),
    kv=(),
)


def make_deployment(engine: str = "vllm", **sections: Any) -> Deployment:
    spec = Spec.model_validate(
        {
            "servespec": "v1",
            "name": "a-model",
            "model": {"id": "org/model"},
            "hardware": {"gpu": "H100-80GB"},
            **sections,
        }
    )
    return Deployment(
        spec=spec,
        engine=engine,
        version="1.0",
        asked_version="1.0",
        target=spec.targets.get(engine, Target()),
        model=MODEL,
        gpu=GPU(name="H100-80GB", kind="cuda", total_bytes=80 * 2**30),
        settings=Settings(),
    )


def make_launch(**changes: Any) -> Launch:
    flags = ("org/model", "--port", "8000")
    return Launch(
        **{
            "engine": "vllm",
            "version": "1.0",
            "model": "org/model",
            "command": ("vllm", "serve"),
            "flags": flags,
            "container_flags": flags,
            "host": "0.0.0.0",
            "port": 8000,
            "health_path": "/health",
            "served_model_name": "org/model",
            "image": ContainerImage(
                reference="vllm/vllm-openai:v1.0",
                entrypoint_is_server=False,
                cache_directory="/root/.cache/huggingface",
                other_caches=("/root/.cache/vllm",),
            ),
            "load_seconds": 600,
            "stop_seconds": 60,
            "config": {"model": "org/model", "port": 8000},
            "offline": {"model": "org/model"},
            "gpus_per_node": 1,
            "shm_bytes": 2**30,
            **changes,
        }
    )


CLUSTER = Cluster(
    rank="NODE_RANK",
    head="HEAD_ADDRESS",
    port=29501,
    node_flags=(
        "--nnodes",
        "2",
        "--node-rank",
        Variable("NODE_RANK"),
        "--master-addr",
        Variable("HEAD_ADDRESS"),
    ),
    worker_flags=("--headless",),
)


RAY = Cluster(
    rank="NODE_RANK",
    head="HEAD_ADDRESS",
    port=6379,
    head_start=("ray", "start", "--head"),
    worker_start=("ray", "start", "--address", Variable("HEAD_ADDRESS", ":6379")),
)

COMPOSE = jsonschema.Draft7Validator(json.loads((SCHEMAS / "compose-spec.json").read_text("utf-8")))
