"""The documents of a YAML text, bounded, every mapping and list with the lines that its values begin on."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from servespec.errors import SourceError

MAX_NODES = 20_000
"""Policy: more than the largest published values file has by an order of magnitude, as specs have it."""
MAX_DEPTH = 100
MAX_PURE_CHARACTERS = 1 << 15
"""What the parser in pure Python reads in less than a second, where libyaml does not say how much there is."""
TEMPLATE = "${TEMPLATE}"
"""What stands in the place of a value that a template puts in."""
_CONTROL = re.compile(r"^[ \t]*\{\{[^\n]*\}\}[ \t]*$|^[ \t]*\{%[^\n]*%\}[ \t]*$", re.MULTILINE)
"""Lines that are a template's alone: conditions, loops, and blocks that only the template's caller knows."""
_PUT_IN = re.compile(r"\{\{[^{}]*\}\}")


class Lined(dict[Any, Any]):
    """A mapping; ``line`` is that of its first key, ``lines`` those on which the text of its values begins."""

    line: int = 1
    lines: dict[Any, int]


class LinedList(list[Any]):
    """A list; ``lines`` are those on which the text of its items begins."""

    lines: list[int]


class _Constructor(SafeConstructor):
    def construct_lined_map(self, node: MappingNode) -> Iterator[Lined]:
        data = Lined()
        data.line = node.start_mark.line + 1
        data.lines = {}
        yield data
        data.update(self.construct_mapping(node))
        for key, value in node.value:
            name = self.construct_object(key)
            if isinstance(name, Hashable):
                data.lines[name] = _first_line(value)

    def construct_lined_list(self, node: SequenceNode) -> Iterator[LinedList]:
        data = LinedList()
        data.lines = [_first_line(value) for value in node.value]
        yield data
        data.extend(self.construct_sequence(node))


_Constructor.add_constructor("tag:yaml.org,2002:map", _Constructor.construct_lined_map)
_Constructor.add_constructor("tag:yaml.org,2002:seq", _Constructor.construct_lined_list)


def _first_line(node: Node) -> int:
    is_block = isinstance(node, ScalarNode) and node.style in ("|", ">")
    return int(node.start_mark.line) + (2 if is_block else 1)


def documents(text: str, name: str | None = None) -> list[Any] | None:
    """The documents of a YAML text that holds mappings or lists; None where it is no such text.

    What a template puts in (``{{ .Values.model }}``) is a variable that the source does not know. A text with a
    ``name`` can be nothing else. Raises SourceError for what is YAML but too much of it, and for a text with a name
    that is no YAML.
    """
    found, error = _read(text)
    if found is None and error is not None and "\t\n" in text:  # other readers of YAML take no notice of them
        found, _ = _read("\n".join(line.rstrip(" \t") for line in text.split("\n")))
    if found is None and ("{{" in text or "{%" in text):
        found, _ = _read(_PUT_IN.sub(TEMPLATE, _CONTROL.sub("", text)))
        return found
    if found is None and name and isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        problem = " ".join(f"{error.context or ''} {error.problem or ''}".split())
        raise SourceError(
            f"{name}, line {mark.line + 1}, column {mark.column + 1}: this is no valid YAML ({problem}): "
            "no server can be read from it"
        )
    return found


def _read(text: str) -> tuple[list[Any] | None, YAMLError | None]:
    if not _is_bounded(text):
        return None, None
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    yaml.composer.warn_double_anchors = False
    yaml.allow_duplicate_keys = True
    try:
        found = [document for document in yaml.load_all(text) if document is not None]
    except YAMLError as error:
        return None, error
    except (ValueError, TypeError, RecursionError):
        return None, None
    if not found or not all(isinstance(document, dict | list) for document in found):
        return None, None
    if _size(found, {}) > MAX_NODES:
        raise SourceError(
            f"the YAML's aliases expand to more than {MAX_NODES:,} values: no launch configuration does"
        )
    return found, None


def _is_bounded(text: str) -> bool:
    """Whether the text is YAML of a depth and size that can be read; libyaml's events tell soon, and build nothing.

    Raises SourceError for what is YAML, but too much of it.
    """
    try:
        from ruamel.yaml import cyaml
    except ImportError:
        return len(text) <= MAX_PURE_CHARACTERS
    parser = cyaml.CParser(text)  # type: ignore[attr-defined]
    depth = count = 0
    try:
        while parser.check_event():
            name = type(parser.get_event()).__name__
            depth += name.endswith("StartEvent") - name.endswith("EndEvent")
            count += 1
            if depth > MAX_DEPTH or count > 2 * MAX_NODES:
                break
    except (YAMLError, ValueError):
        return len(text) <= MAX_PURE_CHARACTERS
    if count > 2 * MAX_NODES:
        raise SourceError(f"the YAML has more than {MAX_NODES:,} values: no launch configuration does")
    return depth <= MAX_DEPTH


def _size(node: Any, known: dict[int, float]) -> float:
    """Values that a document has when its aliases are written out; infinite where one stands in itself."""
    if not isinstance(node, dict | list):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")
        children = [*node.keys(), *node.values()] if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]
