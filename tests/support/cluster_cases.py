"""Deployments that are rendered for clusters, and what their files are held against."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from lowering_cases import deploy
from render_cases import SCHEMAS

from servespec.deployment import Deployment
from servespec.render import render

PLAIN = {"env": {"HF_TOKEN": "${MY_TOKEN}"}, "limits": {"max_model_len": 4096}}
FULL = {
    **PLAIN,
    "server": {"api_key_env": "SERVER_KEY", "served_model_name": "llama", "port": 9000},
    "deploy": {"replicas": 3, "namespace": "inference"},
    "hardware": {"gpu": "H100-80GB", "count": 2},
    "parallel": {"tensor": 2},
    "objectives": {"ttft_ms": 500, "itl_ms": 50},
}
AMD = {**PLAIN, "hardware": {"gpu": "MI300X"}, "deploy": {"cache_volume": "weights"}}
CPU = {**PLAIN, "hardware": {"gpu": "cpu"}, "kv_cache": {"space_gib": 1}}
NODES = {
    **PLAIN,
    "hardware": {"gpu": "H100-80GB", "count": 8, "nodes": 2},
    "parallel": {"tensor": 8, "pipeline": 2},
}
CASES = {"plain": PLAIN, "full": FULL, "amd": AMD, "cpu": CPU}
ARGS = {"sglang": {"enable_metrics": True}}


def made(
    engine: str, sections: dict[str, Any], format_name: str, ending: str, version: str | None = None
) -> str:
    deployment = deploy(engine, version, ARGS.get(engine), **sections)
    return one(deployment, format_name, ending)


def one(deployment: Deployment, format_name: str, ending: str) -> str:
    return next(made.text for made in render(deployment, format_name) if made.path.endswith(ending))


def validate(document: Any, schema: str) -> None:
    """Against a published schema; a key that it does not have is found."""
    published = json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8"))
    jsonschema.validate(document, published)
    where = document.get("spec", document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            document | ({"spec": where | {"no-such-key": 1}} if "spec" in document else {"no-such-key": 1}),
            published,
        )


def kubernetes(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.30", strict=True)


def pod_as_deployment(template: dict[str, Any]) -> dict[str, Any]:
    """Pods inside of custom resources, in an object that Kubernetes' own schemas have."""
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}


def objects(text: str) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(text)}
