"""Where in the language a cursor is, worked out from the lines alone: a text that is being typed is rarely YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_KEY = re.compile(
    r"(?P<indent>[ ]*)(?:- +)?(?P<quote>[\"']?)(?P<name>[^\s\"'#:{},\[\]][^\"'#:{},\[\]]*?)(?P=quote)[ ]*:(?=\s|$)"
)
_INNER = re.compile(r"(?:^|[{,])\s*[\"']?(?P<name>[^\s\"'#:{},\[\]]+)[\"']?\s*:(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Context:
    """``path`` are the keys around the cursor; ``key`` is set when a value is being typed, to its key.

    ``typed`` is what stands before the cursor of the word that is being typed; ``present`` are the keys that the
    mapping around already has.
    """

    path: tuple[str, ...]
    key: str | None
    typed: str
    present: frozenset[str]

    @property
    def dotted(self) -> str:
        """The key at the cursor as the diagnostics write it."""
        return ".".join((*self.path, self.key) if self.key else self.path)


def context_at(lines: Sequence[str], line: int, column: int) -> Context:
    """The context of the cursor before code point ``column`` (from 0) of line ``line`` (from 0)."""
    before = lines[line][:column] if line < len(lines) else ""
    depth = _open_braces(before)
    found = _KEY.match(before)
    if depth:
        return _inside_braces(lines, line, before, depth)
    if found:
        path = parents(lines, line, len(found["indent"]))
        return Context(path, found["name"], before[found.end() :].lstrip(" \"'"), frozenset())
    indent = len(before) - len(before.lstrip(" "))
    path = parents(lines, line, indent)
    return Context(path, None, before.strip(" -\"'"), siblings(lines, line, indent))


def _open_braces(before: str) -> list[int]:
    stack: list[int] = []
    quote = ""
    for index, letter in enumerate(before):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (index == 0 or before[index - 1] == " "):
            break
        elif letter == "{":
            stack.append(index)
        elif letter == "}" and stack:
            stack.pop()
    return stack


def _inside_braces(lines: Sequence[str], line: int, before: str, depth: list[int]) -> Context:
    first = _KEY.match(before)
    names = [first["name"]] if first else []
    for start in depth[1:]:
        inner = _INNER.findall(before[depth[0] : start])
        names += inner[-1:]
    indent = len(before) - len(before.lstrip(" "))
    path = (*parents(lines, line, indent), *names)
    rest = before[depth[-1] + 1 :]
    part = rest.rsplit(",", 1)[-1]
    value = re.match(r"\s*[\"']?([^\s\"'#:{},\[\]]+)[\"']?\s*:(?:\s+(.*)|$)", part) if ":" in part else None
    if value:
        return Context(path, value[1], (value[2] or "").lstrip("\"'"), frozenset())
    return Context(path, None, part.strip(" \"'"), frozenset(_INNER.findall(rest)))


def parents(lines: Sequence[str], line: int, indent: int) -> tuple[str, ...]:
    """Keys of the block mappings around a line whose own indent is ``indent``, outermost first."""
    names: list[str] = []
    for text in reversed(lines[:line]):
        if indent == 0:
            break
        found = _KEY.match(text)
        if found and len(found["indent"]) < indent:
            names.append(found["name"])
            indent = len(found["indent"])
    return tuple(reversed(names))


def siblings(lines: Sequence[str], line: int, indent: int) -> frozenset[str]:
    """Keys of the block mapping that a line with that indent belongs to, the line itself left out."""
    found: set[str] = set()
    for step in (-1, 1):
        at = line + step
        while 0 <= at < len(lines):
            match = _KEY.match(lines[at])
            text = lines[at]
            depth = len(text) - len(text.lstrip(" "))
            if text.strip() and not text.lstrip().startswith("#"):
                if depth < indent:
                    break
                if match and depth == indent:
                    found.add(match["name"])
            at += step
    return frozenset(found)


def key_at(lines: Sequence[str], line: int, column: int) -> str | None:
    """The dotted key that the cursor is on, its value included; None on an empty line."""
    if line >= len(lines) or not lines[line].strip() or lines[line].lstrip().startswith("#"):
        return None
    text = lines[line]
    end = column
    while end < len(text) and text[end] not in ":{},":
        end += 1
    here = context_at(lines, line, min(len(text), end + 1))
    if here.key:
        return here.dotted
    whole = context_at(lines, line, len(text))
    return whole.dotted if whole.key else (".".join(here.path) or None)
