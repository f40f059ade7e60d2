"""Places: servespec counts code points from 1, editors count UTF-16 units from 0."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol.types import Position, Range

from servespec.diagnostics import Span


def units(text: str) -> int:
    """Length of a text in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def column(line: str, character: int) -> int:
    """Index into ``line`` of the code point at ``character`` UTF-16 units; the end when beyond it."""
    counted = 0
    for index, letter in enumerate(line):
        if counted >= character:
            return index
        counted += 2 if letter > "\uffff" else 1
    return len(line)


def position(lines: Sequence[str], line: int, place: int) -> Position:
    """The editor's position of a line and column that count from 1."""
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return Position(max(0, line - 1), units(text[: max(0, place - 1)]))


def range_of(lines: Sequence[str], span: Span | None) -> Range:
    """The editor's range of a span; the first line for none."""
    if span is None:
        return Range(Position(0, 0), Position(0, units(lines[0]) if lines else 0))
    return Range(position(lines, span.line, span.column), position(lines, span.end_line, span.end_column))
