"""The published schemas as text, as they are committed under ``schema/``."""

from __future__ import annotations

from json import dumps


def spec_text() -> str:
    """schema/servespec.v1.json."""
    from servespec.spec.json_schema import spec_schema

    return dumps(spec_schema(), indent=2, ensure_ascii=False) + "\n"


def report_text() -> str:
    """schema/report.v1.json."""
    from servespec.report.json_schema import report_schema

    return dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"
