"""TGI's HTTP surface as its own ``openapi.json`` describes it: what may be asked and what may be answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema


class Contract:
    """Validates bodies of requests and answers by path, method and status."""

    def __init__(self, path: Path) -> None:
        document = json.loads(path.read_text())
        self._paths = document["paths"]
        self._components = _as_json_schema(document["components"])

    def operations(self) -> set[tuple[str, str]]:
        """(METHOD, path) of every operation."""
        return {(method.upper(), path) for path, methods in self._paths.items() for method in methods}

    def check_request(self, method: str, path: str, body: Any) -> None:
        """Raises jsonschema.ValidationError."""
        content = self._paths[path][method.lower()]["requestBody"]["content"]["application/json"]
        self._validate(body, content["schema"])

    def check_answer(
        self, method: str, path: str, status: int, body: Any, media: str = "application/json"
    ) -> None:
        """Raises jsonschema.ValidationError, or AssertionError for a status that the contract does not have.

        A body that the contract says nothing of must be empty.
        """
        responses = self._paths[path][method.lower()]["responses"]
        assert str(status) in responses, f"{method} {path} never answers {status}"
        content = responses[str(status)].get("content")
        if content is None:
            assert body in (None, ""), f"{method} {path} answers {status} without a body"
            return
        if media not in content:  # errors of a stream are given as one medium or the other
            media = next(iter(content))
        self._validate(body, content[media]["schema"])

    def _validate(self, body: Any, schema: dict[str, Any]) -> None:
        whole = {**_as_json_schema(schema), "components": self._components}
        jsonschema.Draft202012Validator(whole).validate(body)


def _as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 in the words of JSON Schema: ``nullable`` is a type, and examples are no schema."""
    if isinstance(node, list):
        return [_as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _as_json_schema(value) for key, value in node.items() if key not in ("example", "discriminator")
    }
    if kept.pop("nullable", False) is True:
        return {"anyOf": [{"type": "null"}, kept]}
    return kept
