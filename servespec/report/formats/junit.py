"""JUnit XML: a suite for each file, a case for each target and one for the spec itself."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from servespec.diagnostics import Diagnostic, Severity
from servespec.report.excerpt import printable
from servespec.report.model import CheckReport, FileReport
from servespec.report.place import relative_path
from servespec.report.style import Style


def write(report: CheckReport, style: Style) -> str:
    """A document that Jenkins, GitLab and Azure read; errors are failures, the rest is system-out."""
    suites = [_suite(file) for file in report.files]
    tests = sum(cases for _, cases, _ in suites)
    failures = sum(failed for _, _, failed in suites)
    head = f'<testsuites name="servespec" tests="{tests}" failures="{failures}" errors="0">'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            head,
            *(text for text, _, _ in suites),
            "</testsuites>",
            "",
        ]
    )


def _suite(file: FileReport) -> tuple[str, int, int]:
    path = relative_path(file.path)
    names: list[str | None] = [None, *(target.engine for target in file.targets)]
    lines, failed = [], 0
    for name in names:
        found = [d for d in file.diagnostics if d.engine == name]
        errors = [d for d in found if d.severity is Severity.error]
        failed += bool(errors)
        lines += _case(path, name or "spec", errors, [d for d in found if d not in errors])
    head = f'  <testsuite name={_attribute(path)} tests="{len(names)}" failures="{failed}" errors="0">'
    return "\n".join([head, *lines, "  </testsuite>"]), len(names), failed


def _case(path: str, name: str, errors: list[Diagnostic], others: list[Diagnostic]) -> list[str]:
    head = f"    <testcase name={_attribute(name)} classname={_attribute(path)}"
    if not errors and not others:
        return [f"{head} />"]
    lines = [f"{head}>"]
    if errors:
        summary = f"{errors[0].code}: {errors[0].message}"
        text = "\n".join(_line(path, d) for d in errors)
        lines.append(
            f"      <failure type={_attribute(errors[0].code)} message={_attribute(summary)}>{_text(text)}</failure>"
        )
    if others:
        text = "\n".join(_line(path, d) for d in others)
        lines.append(f"      <system-out>{_text(text)}</system-out>")
    return [*lines, "    </testcase>"]


def _line(path: str, d: Diagnostic) -> str:
    place = relative_path(d.file) if d.file else path
    where = f"{place}:{d.span.line}:{d.span.column}" if d.span else place
    help_text = f" ({d.fix.message})" if d.fix else ""
    return f"{where}: {d.severity} {d.code} {d.message}{help_text}"


def _valid(text: str) -> str:
    """Without what XML 1.0 cannot hold."""
    shown = printable(text)
    return "".join(c if not ("\ud800" <= c <= "\udfff" or c in "\ufffe\uffff") else "\ufffd" for c in shown)


def _attribute(text: str) -> str:
    return quoteattr(_valid(text))


def _text(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(_valid(text))
