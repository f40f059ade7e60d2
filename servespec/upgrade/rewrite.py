"""Change versions and ``args`` in a spec's text and leave everything else as a person wrote it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

_WIDTH = 1 << 20


def args_in(text: str) -> frozenset[tuple[str, str]]:
    """(engine, name) of every entry of ``args`` that stands in the text itself and not in a spec that it extends."""
    document = YAML(typ="safe").load(text)
    targets = document.get("targets") if isinstance(document, Mapping) else None
    found: set[tuple[str, str]] = set()
    for engine, target in (targets or {}).items():
        args = target.get("args") if isinstance(target, Mapping) else None
        found |= {(str(engine), str(name)) for name in args or ()}
    return frozenset(found)


def rewrite(
    text: str,
    versions: Mapping[str, str],
    args: Mapping[tuple[str, str], Mapping[str, Any]],
    engines: Sequence[str] = (),
) -> str:
    """The text with other engine versions, and entries of ``args`` replaced: (engine, name) → what to give instead.

    ``engines`` are those that a spec without targets is for: they are written, or naming one would drop the others.
    Comments, order and quotes stay.
    """
    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=indent or 4, offset=offset if offset is not None else 2)
    document = yaml.load(text)
    targets = document.setdefault("targets", CommentedMap())
    for engine in engines:
        targets.setdefault(engine, CommentedMap())
    for engine, version in versions.items():
        if targets.get(engine) is None:
            targets[engine] = CommentedMap()
        before = targets[engine].get("version")
        # Releases of two numbers would be read as floats; what was quoted stays so.
        is_plain = before is None or type(before) is str
        targets[engine]["version"] = version if is_plain else type(before)(version)
        if version.count(".") < 2 and is_plain:
            targets[engine]["version"] = DoubleQuotedScalarString(version)
    for (engine, name), give in args.items():
        section = targets[engine]["args"]
        place = list(section).index(name)
        comment, node = section.ca.items.pop(name, None), section.pop(name)
        for number, (flag, value) in enumerate(give.items()):
            held, value = section.get(flag), node if _is_same(node, value) else value
            if isinstance(held, CommentedMap) and isinstance(value, Mapping):
                held.update(value)
            elif held is None:
                # The mapping takes what further flags give to it.
                section.insert(place + number, flag, CommentedMap(value) if type(value) is dict else value)
                if comment is not None and number == 0:
                    section.ca.items[flag] = comment
        if not section:
            del targets[engine]["args"]
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _is_same(node: Any, value: Any) -> bool:
    """Whether a value is what the text has: then the text's own node is kept, with its style."""
    plain = list(value) if isinstance(value, tuple) else value
    return isinstance(node, bool) is isinstance(plain, bool) and bool(node == plain)  # true is no 1
