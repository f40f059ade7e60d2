"""YAML that every reader understands alike, written by ruamel.

YAML 1.1 readers (PyYAML in podman-compose and in the engines, older Go libraries) take ``on``,
``0o17`` or ``22:22`` for something else than a string. A string that is not plainly one is
written in quotes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

PLAIN = re.compile(r"(?:--?|\.{0,2}/)?[A-Za-z_][A-Za-z0-9_./@+:-]*(?<!:)")
RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
LINE_WIDTH = 1 << 20
"""No string is folded: a folded command cannot be searched for."""


def dump_yaml(*documents: object, header: str = "") -> str:
    """The documents as YAML under a header of comment lines; keys stay in their order.

    Raises TypeError for anything but mappings, sequences and scalars.
    """
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = LINE_WIDTH
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    buffer = io.StringIO()
    for number, document in enumerate(documents):
        if number:
            buffer.write("---\n")
        yaml.dump(_node(document), buffer)
    return header + buffer.getvalue()


def _node(value: object) -> object:
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        mapping = CommentedMap()
        for key, item in value.items():
            mapping[_node(key)] = _node(item)
        return mapping
    if isinstance(value, Sequence):
        return CommentedSeq(_node(item) for item in value)
    raise TypeError(f"{value!r} cannot be written as YAML")


def _string(value: str) -> object:
    if PLAIN.fullmatch(value) and value.lower() not in RESERVED:
        return value
    if '"' in value and "'" not in value and value.isprintable():
        return SingleQuotedScalarString(value)
    return DoubleQuotedScalarString(value)
