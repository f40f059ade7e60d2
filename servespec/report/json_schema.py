"""The JSON Schema (draft-07) of ``check --format json``."""

from __future__ import annotations

from typing import Any

from servespec.diagnostics import Severity
from servespec.memory.budget import Verdict
from servespec.report.contract import SCHEMA
from servespec.spec.json_schema import DRAFT_07

SCHEMA_ID = "https://servespec.dev/schema/report.v1.json"

_BYTES = {
    "device_bytes": "Memory of one GPU as the engine sees it.",
    "budget_bytes": "What the engine may take of it; the five terms that follow add up to it.",
    "weights_bytes": "Weights on this rank.",
    "activation_bytes": "Peak of activations while the engine profiles itself.",
    "non_torch_bytes": "Memory outside of PyTorch's allocator: context, NCCL, workspaces.",
    "cuda_graph_bytes": "Graph memory that this engine version subtracts from the budget.",
    "kv_cache_bytes": "What is left for the KV cache.",
    "uncertainty_bytes": "Bound of the error of kv_cache_bytes.",
}


def report_schema() -> dict[str, Any]:
    """The schema; fields may be added to reports, so that unknown ones are allowed."""
    return {
        "$schema": DRAFT_07,
        "$id": SCHEMA_ID,
        "title": f"servespec {SCHEMA}",
        "description": "What `servespec check --format json` prints: bytes and tokens, memory per GPU.",
        **_object(
            {
                "servespec": {"type": "string", "description": "Version of servespec."},
                "schema": {"const": SCHEMA},
                "files": _list_of("file"),
            }
        ),
        "definitions": {
            "file": _object(
                {
                    "path": {"type": "string", "description": "The argument as given."},
                    "name": _nullable("string", "The spec's name."),
                    "verdict": _verdict(),
                    "targets": _list_of("target"),
                    "diagnostics": _list_of("diagnostic"),
                }
            ),
            "target": _object(
                {
                    "engine": {"type": "string"},
                    "version": {"type": "string", "description": "The version that is followed."},
                    "verdict": _verdict(),
                    "memory": {"anyOf": [{"$ref": "#/definitions/memory"}, {"type": "null"}]},
                    "settings": {
                        "type": "object",
                        "description": "Effective settings by the engine's own names.",
                        "additionalProperties": _object({"value": {}, "from": {"type": "string"}}),
                    },
                    "estimated_max_model_len": _nullable(
                        "integer", "Longest context that would fit (tokens)."
                    ),
                }
            ),
            "memory": _object(
                {
                    **{name: {"type": "integer", "description": text} for name, text in _BYTES.items()},
                    "kv_bytes_per_token": {
                        "type": "number",
                        "description": "Average cost of a token at max_model_len, over all layers of one rank.",
                    },
                    "kv_tokens": {
                        "type": "integer",
                        "description": "The figure that the engine itself prints.",
                    },
                    "max_concurrency": {
                        "type": "number",
                        "description": "Requests of max_model_len at once.",
                    },
                    "terms": _list_of("term"),
                    "outside": _list_of("term"),
                }
            ),
            "term": _object(
                {
                    "name": {"type": "string"},
                    "bytes": {"type": "integer"},
                    "formula": {"type": "string"},
                    "source": {"type": "string"},
                }
            ),
            "diagnostic": _object(
                {
                    "code": {"type": "string", "pattern": "^SV[0-9]{3}$"},
                    "severity": {"enum": [str(severity) for severity in Severity]},
                    "message": {"type": "string"},
                    "engine": _nullable("string", "Set when the finding holds for one target alone."),
                    "key": _nullable("string", "Dotted path in the spec."),
                    "file": _nullable("string", "The file, a base of `extends` where the key stands there."),
                    "line": _nullable("integer", "From 1."),
                    "column": _nullable("integer", "From 1."),
                    "end_line": _nullable("integer", "From 1."),
                    "end_column": _nullable("integer", "From 1, exclusive."),
                    "fix": _nullable("string", "What to do."),
                    "url": {"type": "string"},
                }
            ),
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list_of(definition: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/definitions/{definition}"}}


def _nullable(kind: str, description: str) -> dict[str, Any]:
    return {"type": [kind, "null"], "description": description}


def _verdict() -> dict[str, Any]:
    return {"enum": [str(verdict) for verdict in Verdict]}
