"""Trim custom resource definitions and charts' values to the schemas that tests validate artefacts with.

python scripts/crd_schemas.py CHECKOUTS

CHECKOUTS is a folder with clones of the repositories below, each in ``OWNER+NAME``. Descriptions are left out;
so are pod templates, which tests validate with Kubernetes' own schemas. Objects take no unknown keys, as
``kubectl --validate=strict`` has it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

OUT = Path(__file__).resolve().parents[1] / "tests" / "data" / "schemas"
SOURCES = {
    "leaderworkerset": (
        "kubernetes-sigs/lws",
        "config/crd/bases/leaderworkerset.x-k8s.io_leaderworkersets.yaml",
        "v1",
    ),
    "inferencepool": (
        "kubernetes-sigs/gateway-api-inference-extension",
        "config/crd/bases/inference.networking.k8s.io_inferencepools.yaml",
        "v1",
    ),
    "llminferenceservice": (
        "kserve/kserve",
        "config/crd/full/llmisvc/serving.kserve.io_llminferenceservices.yaml",
        "v1alpha2",
    ),
    "scaledobject": ("kedacore/keda", "config/crd/bases/keda.sh_scaledobjects.yaml", "v1alpha1"),
    "servicemonitor": (
        "prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "v1",
    ),
    "prometheusrule": (
        "prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        "v1",
    ),
}
VALUES = {
    "production-stack": ("vllm-project/production-stack", "helm/values.schema.json", ("servingEngineSpec",)),
    "llm-d-modelservice": (
        "llm-d-incubation/llm-d-modelservice",
        "charts/llm-d-modelservice/values.schema.json",
        ("fullnameOverride", "modelArtifacts", "accelerator", "routing", "decode", "prefill"),
    ),
}
"""Of a chart's values those sections that are rendered."""
POD_SPECS = frozenset({"containers", "initContainers"})
"""Properties by which a pod spec is known."""


def main() -> int:
    """Write one schema a kind, and say which commit each was read from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", type=Path)
    checkouts = parser.parse_args().checkouts
    for kind, (repository, path, version) in SOURCES.items():
        text, commit = read(checkouts, repository, path)
        definition = YAML(typ="safe").load(text)
        (found,) = (item for item in definition["spec"]["versions"] if item["name"] == version)
        save(
            kind, f"{repository} at {commit}: {path}, {version}", trimmed(found["schema"]["openAPIV3Schema"])
        )
    for kind, (repository, path, sections) in VALUES.items():
        text, commit = read(checkouts, repository, path)
        properties = json.loads(text)["properties"]
        schema = {"type": "object", "properties": {name: properties[name] for name in sections}}
        save(kind, f"{repository} at {commit}: {path}", trimmed(schema))
    return 0


def read(checkouts: Path, repository: str, path: str) -> tuple[str, str]:
    """A file of a clone, and the commit that it is of."""
    folder = checkouts / repository.replace("/", "+")
    git = ["git", "-C", str(folder if (folder / ".git").exists() else folder / "repo")]
    commit = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    text = subprocess.run([*git, "show", f"HEAD:{path}"], capture_output=True, text=True, check=True).stdout
    return text, commit


def save(kind: str, source: str, schema: dict[str, Any]) -> None:
    """Write a schema with where it is from."""
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": f"{source}, trimmed by scripts/crd_schemas.py",
    }
    (OUT / f"{kind}.json").write_text(
        json.dumps({**head, **schema}, indent=1, sort_keys=True) + "\n", "utf-8"
    )
    print(f"{kind}: {source}")


def trimmed(schema: Any) -> Any:
    """The schema without descriptions and pod specs, closed against unknown keys."""
    if isinstance(schema, list):
        return [trimmed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    properties = schema.get("properties")
    if isinstance(properties, dict) and set(properties) >= POD_SPECS:
        return {"type": "object"}
    result = {
        key: trimmed(value)
        for key, value in schema.items()
        if key not in ("description", "properties", "default") and not key.startswith("x-kubernetes")
    }
    if str(result.get("pattern", "")).startswith("^(?i)"):
        result["pattern"] = "(?i)^" + result["pattern"].removeprefix(
            "^(?i)"
        )  # Go's syntax, of which Python has less
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
        result.pop("anyOf", None)
    if isinstance(properties, dict):
        result["properties"] = {key: trimmed(value) for key, value in properties.items()}
        preserved = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
        if not preserved and set(properties) - {"metadata"}:
            result["additionalProperties"] = False
    return result


if __name__ == "__main__":
    raise SystemExit(main())
