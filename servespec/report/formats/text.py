"""For a person at a terminal: each finding with its line, a caret and what to do; then the memory."""

from __future__ import annotations

from servespec.diagnostics import Diagnostic, Severity
from servespec.report.excerpt import excerpt, one_line, secret_spans
from servespec.report.model import CheckReport, FileReport
from servespec.report.style import Style
from servespec.report.table import heading_line, target_lines

_COLOUR = {Severity.error: "red", Severity.warning: "yellow", Severity.info: "cyan"}


def write(report: CheckReport, style: Style) -> str:
    """Findings, tables, and one line that sums up."""
    blocks = [block for file in report.files for block in _file(file, style)]
    return "\n".join([*blocks, _summary(report, style)]) + "\n"


def _file(file: FileReport, style: Style) -> list[str]:
    blocks = ["\n".join(_finding(diagnostic, file, style)) + "\n" for diagnostic in file.diagnostics]
    path = one_line(file.path)
    without = [target for target in file.targets if target.budget is None]
    for verdict in dict.fromkeys(target.verdict for target in without):
        names = ", ".join(f"{t.engine} {t.version}" for t in without if t.verdict is verdict)
        blocks.append(heading_line(f"{path}: {names}", verdict, style) + "\n")
    for target in file.targets:
        if target.budget is not None:
            lines = target_lines(target, f"{path}: {target.engine} {target.version}", style)
            blocks.append("\n".join(lines) + "\n")
    return blocks


def _finding(diagnostic: Diagnostic, file: FileReport, style: Style) -> list[str]:
    colour = _COLOUR[diagnostic.severity]
    code = style.link(style.paint(diagnostic.code, colour, "bold"), diagnostic.url)
    engine = f" [{diagnostic.engine}]" if diagnostic.engine else ""
    severity = style.paint(str(diagnostic.severity), colour)
    lines = [f"{code} {severity}{engine}: {one_line(diagnostic.message)}"]
    span, path = diagnostic.span, diagnostic.file or file.path
    gutter = " " * (len(str(span.line)) if span else 1)
    arrow = style.paint(f"{gutter}-->", "blue")
    lines.append(f"{arrow} {one_line(path)}" + (f":{span.line}:{span.column}" if span else ""))
    source = next((source for source in file.sources if source.path == path), None)
    if span is not None and source is not None:
        found = excerpt(source, span, secret_spans(file.diagnostics, path))
        if found is not None:
            text, start, length = found
            bar = style.paint("|", "blue")
            text, start, length = _fit(text, start, length, style.width - len(gutter) - 4)
            lines.append(f"{gutter} {bar}")
            lines.append(f"{style.paint(str(span.line), 'blue')} {bar} {text}")
            lines.append(f"{gutter} {bar} {' ' * start}{style.paint('^' * length, colour, 'bold')}")
    if diagnostic.fix is not None:
        equals = style.paint(f"{gutter} =", "blue")
        lines.append(f"{equals} {style.paint('help', 'green')}: {one_line(diagnostic.fix.message)}")
    return lines


def _fit(text: str, start: int, length: int, width: int) -> tuple[str, int, int]:
    """A long line cut around the caret."""
    if len(text) <= width:
        return text, start, length
    left = max(0, min(start - width // 3, len(text) - width))
    cut = text[left : left + width]
    if left:
        cut = "…" + cut[1:]
    if left + width < len(text):
        cut = cut[:-1] + "…"
    return cut, start - left, max(1, min(length, width - (start - left)))


def _summary(report: CheckReport, style: Style) -> str:
    counts = {severity: report.count(severity) for severity in Severity}
    found = ", ".join(
        style.paint(f"{number} {severity}{'s' if number != 1 else ''}", _COLOUR[severity])
        for severity, number in counts.items()
        if number
    )
    files = len(report.files)
    checked = f"{files} file{'s' if files != 1 else ''} checked"
    if not found:
        return style.paint(f"{checked}: nothing found", "green")
    return f"{checked}: {found}{_fixable(report)}"


def _fixable(report: CheckReport) -> str:
    """The option that shows what a machine can mend, where there is something."""
    fixes = [d.fix for d in report.diagnostics() if d.fix is not None and (d.fix.edits or d.fix.changes)]
    if not fixes:
        return ""
    is_safe = any(
        all(edit.safe for edit in fix.edits) and all(change.safe for change in fix.changes) for fix in fixes
    )
    option = "--diff" if is_safe else "--diff --unsafe-fixes"
    return f" (`{option}` shows fixes)"
