"""What a smoke test found, as a table, JSON or JUnit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from servespec.smoke.probe import Outcome
from servespec.smoke.reconcile import Agreement, Comparison
from servespec.smoke.run_probes import Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_GIB = 1 << 30
_MARKS = {
    Outcome.passed: "[green]✔ passed[/]",
    Outcome.failed: "[red]✘ failed[/]",
    Outcome.skipped: "[yellow]– skipped[/]",
}
_COLOURS = {
    Agreement.exact: "green",
    Agreement.within: "green",
    Agreement.off: "red",
    Agreement.unstated: "dim",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeReport:
    """The probes of one server and how its memory was predicted.

    ``note`` says why there is nothing to compare, where there is nothing.
    """

    name: str
    engine: str
    version: str
    url: str
    results: tuple[Result, ...]
    comparisons: tuple[Comparison, ...] = ()
    note: str | None = None

    @property
    def passed(self) -> bool:
        """Whether no probe failed."""
        return all(result.evidence.outcome is not Outcome.failed for result in self.results)

    @property
    def off(self) -> tuple[Comparison, ...]:
        """The figures whose prediction is off by more than its uncertainty."""
        return tuple(row for row in self.comparisons if row.agreement is Agreement.off)


FORMATS = ("text", "json", "junit")


def write(report: SmokeReport, format_name: str, *, colour: bool = False) -> str:
    """The report in one of ``FORMATS``; ``colour`` for text on a terminal."""
    if format_name == "json":
        return to_json(report) + "\n"
    if format_name == "junit":
        return to_junit(report)
    return to_text(report, colour=colour)


def to_text(report: SmokeReport, *, colour: bool = False) -> str:
    """Tables for people, as wide as the terminal; 100 columns where there is none."""
    return _text_of(lambda console: _print_tables(report, console), colour)


def _text_of(show: Callable[[Console], None], colour: bool) -> str:
    import io
    import shutil

    from rich.console import Console

    out = io.StringIO()
    width = shutil.get_terminal_size((100, 24)).columns
    show(Console(file=out, width=width, force_terminal=colour, no_color=not colour))
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


def _print_tables(report: SmokeReport, console: Console) -> None:
    from rich.markup import escape

    console.print(escape(f"{report.name} on {report.engine} {report.version} at {report.url}"), style="bold")
    probes = _table()
    for title in ("probe", "outcome", "seconds"):
        probes.add_column(title, no_wrap=True)
    probes.add_column("what was seen", overflow="fold")
    for result in report.results:
        seen = result.evidence
        probes.add_row(result.probe.name, _MARKS[seen.outcome], f"{seen.seconds:.2f}", escape(seen.message))
    console.print(probes)
    if report.comparisons:
        _print_comparison(report.comparisons, console)
    if report.off:
        names = ", ".join(row.name for row in report.off)
        console.print(f"The prediction is off: {names} (--strict makes this exit with 1).")
    if report.note:
        console.print(escape(report.note))


def _table() -> Table:
    """A table without lines: it reads the same in a log."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _print_comparison(rows: tuple[Comparison, ...], console: Console) -> None:
    console.print("\npredicted and observed", style="bold")
    figures = _table()
    figures.add_column("figure", no_wrap=True)
    for title in ("predicted", "observed", "difference"):
        figures.add_column(title, justify="right", no_wrap=True)
    figures.add_column("")
    for row in rows:
        figures.add_row(
            row.name,
            shown(row.predicted, row.unit),
            shown(row.observed, row.unit),
            "0" if row.agreement is Agreement.exact else shown(row.difference, row.unit, sign="+"),
            f"[{_COLOURS[row.agreement]}]{row.agreement}[/]",
        )
    console.print(figures)


def comparison_text(rows: tuple[Comparison, ...], *, colour: bool = False) -> str:
    """Predicted and observed figures as a table."""
    return _text_of(lambda console: _print_comparison(rows, console), colour)


def shown(value: float, unit: str, sign: str = "") -> str:
    """A figure for people: bytes as GiB, all else with its unit."""
    if unit == "bytes":
        return f"{value / _GIB:{sign},.3f} GiB"
    number = f"{value:{sign},.0f}" if float(value).is_integer() else f"{value:{sign},.2f}"
    return f"{number} {unit}"


def to_json(report: SmokeReport) -> str:
    """One JSON object; figures in bytes, tokens, blocks and requests."""
    return json.dumps(
        {
            "name": report.name,
            "engine": report.engine,
            "version": report.version,
            "url": report.url,
            "passed": report.passed,
            "off": [row.name for row in report.off],
            "probes": [
                {
                    "name": result.probe.name,
                    "description": result.probe.description,
                    "outcome": result.evidence.outcome,
                    "message": result.evidence.message,
                    "seconds": round(result.evidence.seconds, 3),
                    "details": dict(result.evidence.details),
                }
                for result in report.results
            ],
            "reconciliation": [asdict(row) | {"difference": row.difference} for row in report.comparisons],
            "note": report.note,
        },
        indent=2,
    )


def to_junit(report: SmokeReport) -> str:
    """JUnit XML: a test case a probe, a property a compared figure."""
    outcomes = [result.evidence.outcome for result in report.results]
    suite = ElementTree.Element(
        "testsuite",
        name=f"servespec smoke {report.name} {report.engine}",
        tests=str(len(outcomes)),
        failures=str(outcomes.count(Outcome.failed)),
        skipped=str(outcomes.count(Outcome.skipped)),
        errors="0",
        time=f"{sum(result.evidence.seconds for result in report.results):.3f}",
    )
    if report.comparisons:
        properties = ElementTree.SubElement(suite, "properties")
        for row in report.comparisons:
            for kind, value in (("predicted", row.predicted), ("observed", row.observed)):
                name = f"{row.name} {kind} ({row.unit})"
                ElementTree.SubElement(
                    properties, "property", name=name, value=f"{value:g}" if value % 1 else f"{value:.0f}"
                )
    for result in report.results:
        seen = result.evidence
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{report.engine}.{report.name}",
            name=result.probe.name,
            time=f"{seen.seconds:.3f}",
        )
        if seen.outcome is Outcome.failed:
            ElementTree.SubElement(case, "failure", message=_printable(seen.message))
        elif seen.outcome is Outcome.skipped:
            ElementTree.SubElement(case, "skipped", message=_printable(seen.message))
        else:
            ElementTree.SubElement(case, "system-out").text = _printable(seen.message)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """The text without characters that XML cannot hold; a random model says such things."""
    return "".join(letter if letter >= " " and letter not in "\ufffe\uffff" else "�" for letter in text)
