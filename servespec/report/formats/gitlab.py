"""GitLab's code quality report: a JSON list of issues."""

from __future__ import annotations

from json import dumps

from servespec.diagnostics import Severity
from servespec.report.model import CheckReport
from servespec.report.place import fingerprints
from servespec.report.style import Style

_SEVERITY = {Severity.error: "critical", Severity.warning: "major", Severity.info: "info"}


def write(report: CheckReport, style: Style) -> str:
    """The artefact that ``artifacts: reports: codequality:`` takes."""
    issues = []
    for path, d, fingerprint in fingerprints(report):
        begin = d.span.line if d.span else 1
        end = d.span.end_line if d.span else 1
        engine = f"[{d.engine}] " if d.engine else ""
        issues.append(
            {
                "description": f"{d.code}: {engine}{d.message}",
                "check_name": d.code,
                "fingerprint": fingerprint,
                "severity": _SEVERITY[d.severity],
                "location": {"path": path, "lines": {"begin": begin, "end": end}},
            }
        )
    return dumps(issues, indent=2) + "\n"
