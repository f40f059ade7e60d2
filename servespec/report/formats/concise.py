"""One line a finding: ``a.yaml:12:3: error SV101 …``."""

from __future__ import annotations

from servespec.report.excerpt import one_line
from servespec.report.model import CheckReport
from servespec.report.style import Style


def write(report: CheckReport, style: Style) -> str:
    """Lines that editors and grep understand."""
    lines = []
    for file in report.files:
        for d in file.diagnostics:
            place = (
                f"{d.file or file.path}:{d.span.line}:{d.span.column}" if d.span else (d.file or file.path)
            )
            engine = f" [{d.engine}]" if d.engine else ""
            lines.append(f"{one_line(place)}: {d.severity} {d.code}{engine} {one_line(d.message)}\n")
    return "".join(lines)
