"""The contract of DESIGN as one JSON object."""

from __future__ import annotations

from json import dumps

from servespec.report.contract import report_data
from servespec.report.model import CheckReport
from servespec.report.style import Style


def write(report: CheckReport, style: Style) -> str:
    """One object for any number of files."""
    return dumps(report_data(report), indent=2, allow_nan=False) + "\n"
