"""Lines of a spec shown to a person: control characters made visible, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from servespec.diagnostics import Diagnostic, Span
from servespec.spec.secrets import is_secret_name, redact
from servespec.spec.source import LINE_BREAK, Source

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that would steer a terminal or hide text."""
_BLOCK = re.compile(r"""\s*(?:- )?["']?(?P<name>[\w.-]+)["']?\s*:(?:\s+[^\s#]|\s*$|.*[|>])""")
"""A line that begins the value of a key."""

MAX_COLUMNS = 160


def printable(text: str) -> str:
    """The text with control characters replaced one by one."""
    return _CONTROL.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The text on one line, fit for a terminal."""
    return printable(" ".join(text.split("\n")))


@lru_cache(maxsize=16)
def lines_of(source: Source) -> list[str]:
    """Lines as YAML counts them."""
    return LINE_BREAK.split(source.text)


def excerpt(source: Source, span: Span, secrets: Iterable[Span]) -> tuple[str, int, int] | None:
    """The line of a span without its secrets, the caret's column (from 0) and its length.

    None where the file has no such line.
    """
    lines = lines_of(source)
    if not 1 <= span.line <= len(lines):
        return None
    original = lines[span.line - 1]
    if len(original) > 4 * MAX_COLUMNS:
        return None
    line = "*" * len(original) if _continues_a_secret(lines, span.line - 1) else original
    for secret in secrets:
        if secret.line == span.line:
            end = secret.end_column - 1 if secret.end_line == secret.line else len(line)
            start = secret.column - 1
            line = line[:start] + "*" * max(0, min(end, len(line)) - start) + line[end:]
        elif secret.line < span.line <= secret.end_line:
            line = "*" * len(line)
    line = redact(line)
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    length = max(1, min(end, len(line)) - start)
    return printable(line.replace("\t", " ")), start, length


def _continues_a_secret(lines: list[str], index: int) -> bool:
    """Whether a line is part of a block of text that belongs to the name of a secret (and may be no YAML)."""
    if _BLOCK.match(lines[index]):
        return False
    for above in reversed(lines[max(0, index - 50) : index]):
        match = _BLOCK.match(above)
        if match is not None:
            return is_secret_name(match["name"])
    return False


def secret_spans(diagnostics: Iterable[Diagnostic], file: str) -> list[Span]:
    """Where literal secrets were found in a file."""
    return [d.span for d in diagnostics if d.code == "SV501" and d.file == file and d.span is not None]
