#!/usr/bin/env python3
"""Write docs/spec.md: every key of a spec, read from the schema that editors read.

python scripts/spec_page.py           # write it
python scripts/spec_page.py --check   # exit with 1 where the committed page differs
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from servespec.spec.json_schema import spec_schema

PAGE = Path(__file__).resolve().parents[1] / "docs" / "spec.md"
HEAD = """\
<!-- Written by scripts/spec_page.py from the schema; change servespec/spec/model.py, not this page. -->
# The spec

A spec is one YAML file, named `servespec.yaml` or `NAME.servespec.yaml` where hooks and editors should find it by
itself. It needs `servespec: v1`, `name`, `model.id` and `hardware.gpu`; everything else may be left out. A key that is
absent or `null` is what the engine of that version would do by itself; `servespec explain FILE` shows what that is.
Unknown keys are refused. `servespec schema` prints the JSON Schema that this page is made from.

- `extends: ./base.yaml` lays a spec over another one, key by key.
- A flag that is no key of the spec stands under `targets.ENGINE.args`, by its name: `enforce_eager: true`.
- Where engines mean different things by one word, the spec's word means what is said here, and is converted.
- `# servespec: ignore[SV402] reason` on a line, or on the line above it, silences that finding.
"""


def page() -> str:
    """The whole page."""
    schema = spec_schema()
    sections = [
        _section("At the top", "What a spec is made of.", schema["properties"], schema),
    ]
    for key, field in schema["properties"].items():
        definition = _definition(field["properties"]["vllm"] if key == "targets" else field, schema)
        if definition is not None:
            heading = "targets.ENGINE" if key == "targets" else key
            sections.append(_section(heading, definition["description"], definition["properties"], schema))
        if key == "model":
            adapters = schema["definitions"]["Adapters"]
            sections.append(
                _section("model.adapters", adapters["description"], adapters["properties"], schema)
            )
    return HEAD + "".join(sections)


def _section(heading: str, told: str, fields: dict[str, Any], schema: dict[str, Any]) -> str:
    lines = ["", f"## {heading}", "", told, "", "| key | takes | example | |", "|---|---|---|---|"]
    for key, field in fields.items():
        cells = (f"`{key}`", _takes(field, schema), _example(field), field["description"] + _default(field))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _alternatives(field: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]


def _definition(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    for one in [*_alternatives(field), *field.get("allOf", ())]:
        if "$ref" in one:
            found: dict[str, Any] = schema["definitions"][one["$ref"].rpartition("/")[2]]
            return found
    return None


def _takes(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if _definition(field, schema) is not None:
        return "a mapping"
    return " or ".join(dict.fromkeys(word for one in _alternatives(field) for word in _words(one)))


def _words(one: dict[str, Any]) -> Iterator[str]:
    if "const" in one:
        yield f"`{one['const']}`"
    elif "enum" in one:
        yield ", ".join(f"`{value}`" for value in one["enum"] if value is not None)
    else:
        kinds = one["type"] if isinstance(one.get("type"), list) else [one.get("type", "anything")]
        names = {"object": "a mapping", "array": "a list", "string": "text", "integer": "an integer"}
        names |= {"number": "a number", "boolean": "true, false"}
        yield from (names.get(kind, kind) for kind in kinds if kind != "null")


def _example(field: dict[str, Any]) -> str:
    examples = field.get("examples") or ()
    return f"`{json.dumps(examples[0], ensure_ascii=False)}`" if examples else ""


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, {}, []) else f" Default: `{json.dumps(default, ensure_ascii=False)}`."


def main() -> int:
    """Write or compare."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE.name} is not what the schema says: run python scripts/spec_page.py")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
