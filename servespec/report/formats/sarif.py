"""SARIF 2.1.0, within what GitHub's code scanning takes from an upload."""

from __future__ import annotations

from json import dumps
from typing import Any
from urllib.parse import quote

from servespec._version import __version__
from servespec.diagnostics import RULES_URL, Diagnostic, Edit, Severity
from servespec.report.model import CheckReport
from servespec.report.place import fingerprints, relative_path
from servespec.report.style import Style
from servespec.rules.base import Card
from servespec.rules.registry import find_card

SCHEMA_URL = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL = {Severity.error: "error", Severity.warning: "warning", Severity.info: "note"}
_SECURITY = "SV5"
_SECURITY_SEVERITY = {Severity.error: "8.0", Severity.warning: "5.0", Severity.info: "2.0"}
"""GitHub sorts security findings by this figure: over 7.0 is high, over 4.0 medium (docs.github.com, sarif-support)."""


def write(report: CheckReport, style: Style) -> str:
    """One run with the rules that were broken, and a result for each finding."""
    rows = fingerprints(report)
    codes = sorted({d.code for _, d, _ in rows})
    run = {
        "tool": {
            "driver": {
                "name": "servespec",
                "semanticVersion": __version__,
                "informationUri": RULES_URL.rsplit("/", 1)[0],
                "rules": [_rule(code) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": "servespec/"},
        "results": [_result(path, d, fingerprint, codes.index(d.code)) for path, d, fingerprint in rows],
    }
    return dumps({"$schema": SCHEMA_URL, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    card = find_card(code)
    url = f"{RULES_URL}/{code}"
    if card is None:
        return {"id": code, "helpUri": url, "shortDescription": {"text": code}}
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in card.name.split("-")),
        "shortDescription": {"text": card.summary},
        "fullDescription": {"text": card.explanation},
        "helpUri": url,
        "help": {"text": f"{card.explanation}\n\n{card.fix}".strip(), "markdown": _markdown(card)},
        "defaultConfiguration": {"level": _LEVEL[card.severity]},
        "properties": _properties(card),
    }


def _markdown(card: Card) -> str:
    fix = f"\n\n**What to do:** {card.fix}" if card.fix else ""
    return f"**{card.summary}**\n\n{card.explanation}{fix}"


def _properties(card: Card) -> dict[str, Any]:
    if card.code.startswith(_SECURITY):
        return {"tags": ["security"], "security-severity": _SECURITY_SEVERITY[card.severity]}
    return {
        "tags": ["correctness"],
        "problem.severity": {"info": "recommendation"}.get(card.severity, str(card.severity)),
    }


def _result(path: str, d: Diagnostic, fingerprint: str, index: int) -> dict[str, Any]:
    engine = f"[{d.engine}] " if d.engine else ""
    end = "" if d.message.endswith(("?", "!", ".")) else "."
    advice = f"{end} {d.fix.message[:1].upper()}{d.fix.message[1:]}." if d.fix else ""
    location: dict[str, Any] = {"artifactLocation": _artifact(path)}
    if d.span is not None:
        location["region"] = {
            "startLine": d.span.line,
            "startColumn": d.span.column,
            "endLine": d.span.end_line,
            "endColumn": d.span.end_column,
        }
    else:
        location["region"] = {"startLine": 1}
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": index,
        "level": _LEVEL[d.severity],
        "message": {"text": f"{engine}{d.message}{advice if advice.strip('. ') else ''}"},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"servespec/v1": fingerprint},
    }
    if d.fix is not None and d.fix.edits:
        result["fixes"] = [_fix(path, d.fix.message, d.fix.edits)]
    return result


def _artifact(path: str) -> dict[str, str]:
    uri = quote(path, safe="/._-~", errors="replace")
    return {"uri": uri} if path.startswith("/") else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _fix(path: str, message: str, edits: tuple[Edit, ...]) -> dict[str, Any]:
    replacements = [
        {
            "deletedRegion": {
                "startLine": edit.span.line,
                "startColumn": edit.span.column,
                "endLine": edit.span.end_line,
                "endColumn": edit.span.end_column,
            },
            "insertedContent": {"text": edit.text},
        }
        for edit in edits
    ]
    change = {"artifactLocation": _artifact(relative_path(path)), "replacements": replacements}
    return {"description": {"text": message}, "artifactChanges": [change]}
