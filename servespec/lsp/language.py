"""What the language says at a key: its description, unit and the keys below, from the published JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

Schema = Mapping[str, Any]


@lru_cache(maxsize=1)
def root() -> Schema:
    """The schema of a spec."""
    from servespec.spec.json_schema import spec_schema

    return spec_schema()


def resolve(schema: Schema) -> Schema:
    """The schema with references and ``or null`` taken away; its own description stays."""
    found = dict(schema)
    while True:
        options = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
        if "$ref" in found:
            target = root()["definitions"][found.pop("$ref").rsplit("/", 1)[-1]]
        elif len(options) == 1 and "properties" not in found:
            target = options[0]
            found.pop("anyOf")
        else:
            return found
        found = {**target, **found}


def schema_at(path: Sequence[str]) -> Schema | None:
    """The schema of a key; None where the language has no such key."""
    current = resolve(root())
    for name in path:
        properties = current.get("properties", {})
        below = properties.get(name, current.get("additionalProperties"))
        if not isinstance(below, Mapping):
            return None
        current = resolve(below)
    return current


def keys_at(path: Sequence[str]) -> Mapping[str, Schema]:
    """The keys that the mapping at ``path`` may have, with their schemas; empty when names are free."""
    found = schema_at(path)
    return (
        {} if found is None else {name: resolve(below) for name, below in found.get("properties", {}).items()}
    )


def values_of(schema: Schema) -> tuple[str, ...]:
    """The words that a value may be: an enumeration, else true and false, else the examples."""
    for one in (schema, *schema.get("anyOf", ())):
        if "enum" in one:
            return tuple(str(value) for value in one["enum"] if value is not None)
    kinds = [schema.get("type"), *(one.get("type") for one in schema.get("anyOf", ()))]
    if any("boolean" in (kind if isinstance(kind, list) else [kind]) for kind in kinds):
        return ("true", "false")
    return tuple(str(value) for value in schema.get("examples", ()) if isinstance(value, str | int | float))


def described(schema: Schema) -> str:
    """What a key means, with its unit: the schema's descriptions name it."""
    return str(schema.get("description", ""))
