"""``# servespec: ignore[SV402] reason``: on the finding's line, or alone on the line above it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from servespec.diagnostics import Diagnostic, Edit, Fix, Severity, Span
from servespec.spec.nodes import Mapping, Node, Scalar
from servespec.spec.nodes import Sequence as SequenceNode
from servespec.spec.source import LINE_BREAK, Source

UNUSED = "SV008"
_COMMENT = re.compile(r"(?:(?<=\s)|^)#\s*servespec:\s*ignore\[(?P<codes>[^\]\n]*)\][^#\n]*")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment. ``line`` is where it stands, ``holds_for`` the line that it is about."""

    codes: tuple[str, ...]
    line: int
    holds_for: int
    span: Span
    is_alone: bool

    def covers(self, diagnostic: Diagnostic, file: str) -> bool:
        """Whether it is about this finding; a code may be a whole family's beginning (SV4)."""
        span = diagnostic.span
        return (
            span is not None
            and not diagnostic.is_final
            and diagnostic.file == file
            and span.line == self.holds_for
            and diagnostic.code.startswith(self.codes)
        )


def find(source: Source, root: Node | None) -> tuple[Ignore, ...]:
    """All ignores of a text; what only looks like one inside of a value is none."""
    if root is None:
        return ()
    lines = LINE_BREAK.split(source.text)
    values = [node.span for node in _scalars(root) if node.file == source.path]
    return tuple(
        _ignore(match, number, lines)
        for number, line in enumerate(lines, 1)
        for match in [_COMMENT.search(line)]
        if match and not any(_inside(span, number, match.start() + 1) for span in values)
    )


def _ignore(match: re.Match[str], number: int, lines: list[str]) -> Ignore:
    line = lines[number - 1]
    is_alone = line.lstrip().startswith("#")
    holds_for = number
    if is_alone:
        following = (n for n in range(number + 1, len(lines) + 1) if lines[n - 1].strip())
        holds_for = next((n for n in following if not lines[n - 1].lstrip().startswith("#")), number)
    codes = tuple(code for code in (part.strip() for part in match["codes"].split(",")) if code)
    span = Span(number, match.start() + 1, number, match.end() + 1)
    return Ignore(codes, number, holds_for, span, is_alone)


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.items:
            yield from _scalars(item)
    else:
        for entry in node.entries.values():
            yield entry.key
            yield from _scalars(entry.value)


def _inside(span: Span, line: int, column: int) -> bool:
    return (span.line, span.column) <= (line, column) < (span.end_line, span.end_column)


def apply(diagnostics: Sequence[Diagnostic], source: Source, root: Node | None) -> tuple[Diagnostic, ...]:
    """The findings that are not ignored, and one for each ignore that ignores nothing."""
    ignores = find(source, root)
    if not ignores:
        return tuple(diagnostics)
    kept = tuple(d for d in diagnostics if not any(i.covers(d, source.path) for i in ignores))
    unused = tuple(
        _unused(ignore, source)
        for ignore in ignores
        if not any(ignore.covers(d, source.path) for d in diagnostics)
    )
    return (*kept, *unused)


def _unused(ignore: Ignore, source: Source) -> Diagnostic:
    what = ", ".join(ignore.codes) or "nothing"
    edit = Edit(ignore.span, "")
    if ignore.is_alone:
        edit = Edit(Span(ignore.line, 1, ignore.line + 1, 1), "")
    else:
        line = LINE_BREAK.split(source.text)[ignore.line - 1]
        start = len(line[: ignore.span.column - 1].rstrip()) + 1
        edit = Edit(Span(ignore.line, start, ignore.line, ignore.span.end_column), "")
    return Diagnostic(
        code=UNUSED,
        severity=Severity.warning,
        message=f"this ignores {what}, and nothing of the kind is found on line {ignore.holds_for}",
        file=source.path,
        span=ignore.span,
        fix=Fix("remove the comment", (edit,)),
    )


def baseline(source: Source, root: Node | None, diagnostics: Sequence[Diagnostic], reason: str) -> str:
    """The text with an ignore for every finding that stands in it."""
    from servespec.spec.edits import apply as make

    present = {ignore.holds_for: ignore for ignore in find(source, root) if not ignore.is_alone}
    wanted: dict[int, list[str]] = {}
    for d in diagnostics:
        if d.span is not None and d.file == source.path and d.code != UNUSED and not d.is_final:
            codes = wanted.setdefault(d.span.line, [])
            if d.code not in codes:
                codes.append(d.code)
    lines = LINE_BREAK.split(source.text)
    values = [node.span for node in _scalars(root)] if isinstance(root, Mapping) else []
    edits = []
    for number, codes in wanted.items():
        line = lines[number - 1] if number <= len(lines) else ""
        end = len(line) + 1
        old = present.get(number)
        listed = ",".join([*(old.codes if old else ()), *sorted(codes)])
        comment = f"# servespec: ignore[{listed}] {reason}".rstrip()
        if old is not None:
            edits.append(Edit(old.span, comment))
        elif any(_inside(span, number, end) for span in values if span.end_line > number):
            indent = line[: len(line) - len(line.lstrip())]
            edits.append(Edit(Span(number, 1, number, 1), f"{indent}{comment}\n"))
        else:
            stripped = len(line.rstrip()) + 1
            edits.append(Edit(Span(number, stripped, number, end), f"  {comment}"))
    return make(source.text, edits)
