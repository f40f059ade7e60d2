"""GitHub Actions workflow commands: each finding becomes an annotation on its line."""

from __future__ import annotations

from servespec.diagnostics import Severity
from servespec.report.model import CheckReport
from servespec.report.place import relative_path
from servespec.report.style import Style

_COMMAND = {Severity.error: "error", Severity.warning: "warning", Severity.info: "notice"}


def write(report: CheckReport, style: Style) -> str:
    """Lines like ``::error file=a.yaml,line=12,col=3,…::message``."""
    lines = []
    for file in report.files:
        for d in file.diagnostics:
            properties = {"file": relative_path(d.file or file.path), "title": f"servespec {d.code}"}
            if d.span is not None:
                properties["line"] = str(d.span.line)
                properties["endLine"] = str(d.span.end_line)
                if d.span.line == d.span.end_line:  # GitHub takes columns only within one line
                    properties["col"] = str(d.span.column)
                    properties["endColumn"] = str(d.span.end_column)
            written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
            help_text = f" ({d.fix.message})" if d.fix else ""
            engine = f"[{d.engine}] " if d.engine else ""
            lines.append(f"::{_COMMAND[d.severity]} {written}::{_data(engine + d.message + help_text)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    """Escaped as actions/toolkit does it (packages/core/src/command.ts, escapeData)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escaped as actions/toolkit does it (packages/core/src/command.ts, escapeProperty)."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
