"""The JSON Schema (draft-07) of the language, made from the models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from servespec.spec.model import Spec

SCHEMA_ID = "https://servespec.dev/schema/servespec.v1.json"
DRAFT_07 = "http://json-schema.org/draft-07/schema#"


class _Draft07(GenerateJsonSchema):
    """pydantic's generator with the differences between draft 2020-12 and draft-07."""

    schema_dialect = DRAFT_07

    def tuple_schema(self, schema: Any) -> dict[str, Any]:
        """A tuple of any length is a list of its items; ``prefixItems`` came after draft-07."""
        result = super().tuple_schema(schema)
        result.pop("prefixItems", None)
        return result


def spec_schema() -> dict[str, Any]:
    """The schema that editors complete from: descriptions, units, examples; null allowed everywhere."""
    mode: JsonSchemaMode = "validation"
    raw = Spec.model_json_schema(mode=mode, schema_generator=_Draft07, ref_template="#/definitions/{model}")
    definitions = {name: _section(section) for name, section in sorted(raw.pop("$defs").items())}
    body = _section(raw)
    for name, field in Spec.model_fields.items():  # pydantic drops one that equals the section's own
        _described(body["properties"][name], field.description or "")
    _name_targets(body)
    body["anyOf"] = [{"required": ["extends"]}, _complete(body.pop("required"), definitions)]
    body["required"] = ["servespec"]
    return {
        "$schema": DRAFT_07,
        "$id": SCHEMA_ID,
        "title": "servespec v1",
        "description": "One deployment of an LLM server: which model, on which GPUs, with which limits, for which engines.",
        **{key: value for key, value in body.items() if key not in ("title", "description")},
        "definitions": definitions,
    }


def _complete(required: list[str], definitions: dict[str, Any]) -> dict[str, Any]:
    """What a spec needs that extends no other: its keys, and those of its required sections."""
    sections = {"model": definitions["Model"], "hardware": definitions["Hardware"]}
    below = {name: {"required": section.pop("required")} for name, section in sections.items()}
    return {"required": required, "properties": below}


def _section(section: dict[str, Any]) -> dict[str, Any]:
    """A mapping of the spec: every key may be null, which means absent."""
    required = set(section.get("required", ()))
    properties = {
        name: _clean(field) if name in required else _nullable(field)
        for name, field in section["properties"].items()
    }
    for field in properties.values():
        _described(field, field.get("description", ""))
    return {**_without_title(section), "properties": properties}


def _clean(node: Any) -> Any:
    """The schema without pydantic's titles, and with references the way draft-07 takes them."""
    if isinstance(node, list):
        return [_clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    cleaned = {
        key: {name: _clean(value) for name, value in item.items()} if key == "properties" else _clean(item)
        for key, item in node.items()
        if key != "title"
    }
    if "$ref" in cleaned and len(cleaned) > 1:
        # draft-07 ignores everything beside a $ref
        cleaned["allOf"] = [{"$ref": cleaned.pop("$ref")}]
    if isinstance(cleaned.get("const"), str):
        cleaned["enum"] = [cleaned.pop("const")]
    return cleaned


def _without_title(section: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key != "title"}


def _nullable(field: dict[str, Any]) -> dict[str, Any]:
    """The same, or null. Text values of free mappings may be null too."""
    field = _clean(field)
    if "patternProperties" in field:
        ((pattern, values),) = field.pop("patternProperties").items()
        field["propertyNames"] = {**field.get("propertyNames", {}), "pattern": pattern}
        field["additionalProperties"] = _or_null(values)
    return _or_null(field)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    outside: dict[str, Any] = {
        key: schema[key] for key in ("description", "default", "examples", "x-unit") if key in schema
    }
    inside = {key: value for key, value in schema.items() if key not in outside}
    if not inside:
        return schema
    if "anyOf" in inside:
        choices = [choice for choice in inside["anyOf"] if choice != {"type": "null"}]
        return {**outside, "anyOf": [*choices, {"type": "null"}]}
    if "enum" in inside:
        return {**outside, "enum": [*(value for value in inside["enum"] if value is not None), None]}
    if set(inside) == {"allOf"}:
        return {**outside, "anyOf": [*inside["allOf"], {"type": "null"}]}
    if isinstance(inside.get("type"), str) and "$ref" not in inside:
        return {**outside, **inside, "type": [inside["type"], "null"]}
    return {**outside, "anyOf": [inside, {"type": "null"}]}


def _described(field: dict[str, Any], description: str) -> None:
    """The description with the unit in it, where editors show it; beside no bare ``$ref``, which hides it."""
    if "$ref" in field:
        field["allOf"] = [{"$ref": field.pop("$ref")}]
    unit = field.get("x-unit")
    field["description"] = f"{description.rstrip('.')} ({unit})." if unit else description


def _name_targets(body: dict[str, Any]) -> None:
    """The engines by name, so that editors complete them and refuse others."""
    from servespec.engines import engine_names, get_engine

    targets = body["properties"]["targets"]
    target = targets.pop("additionalProperties")
    del targets["propertyNames"]
    targets["properties"] = {
        name: {"description": f"{get_engine(name).title}.", **target} for name in engine_names()
    }
    targets["additionalProperties"] = False
