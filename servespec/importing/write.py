"""An imported spec as YAML with comments."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from servespec.importing.assemble import ImportedSpec
from servespec.render.header import plain
from servespec.render.yaml_writer import LINE_WIDTH, PLAIN, RESERVED


def to_yaml(spec: ImportedSpec, source: str) -> str:
    """The spec's text: a header that says where it comes from and what was left out, then the keys."""
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = LINE_WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    head = [f"Imported from {source}, line {spec.line}: {spec.engine} {spec.version}.", *spec.notes]
    buffer = io.StringIO()
    for note in head:
        buffer.write("".join(f"# {plain(line)}\n" for line in note.splitlines() or [""]))
    yaml.dump(_node(spec.data, "", spec.comments), buffer)
    return buffer.getvalue()


def _node(value: Any, path: str, comments: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        is_plain = PLAIN.fullmatch(value) and value.lower() not in RESERVED
        return value if is_plain else DoubleQuotedScalarString(value)
    if isinstance(value, Mapping):
        mapping = CommentedMap()
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            mapping[_node(str(key), below, {})] = _node(item, below, comments)
            if below in comments:
                mapping.yaml_add_eol_comment(plain(comments[below]), key)
        return mapping
    if isinstance(value, list | tuple):
        return CommentedSeq(_node(item, path, comments) for item in value)
    return value
