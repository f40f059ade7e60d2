"""The page's template filled in: HTML escapes every value, only our own SVG goes in as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec._version import __version__
from servespec.diagnostics import Severity
from servespec.render.templates import SHIPPED
from servespec.report.excerpt import printable
from servespec.report.page.evidence import Evidence
from servespec.report.page.view import file_view
from servespec.report.table import gib

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

    from servespec.report.model import CheckReport

GENERATOR = '<meta name="generator" content="servespec'
"""How a page that servespec wrote is known."""


def page(report: CheckReport, evidence: Evidence | None = None) -> str:
    """The whole page as text; the same for the same report and evidence."""
    seen = evidence or Evidence()
    files = [file_view(file, seen, number) for number, file in enumerate(report.files, 1)]
    title = files[0]["name"] if len(files) == 1 else f"{len(files)} specs"
    return (
        _environment()
        .get_template("report/page.html.j2")
        .render(
            title=title,
            version=__version__,
            files=files,
            counts={str(severity): report.count(severity) for severity in Severity},
        )
    )


def _environment() -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from markupsafe import Markup

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(str(SHIPPED)),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: _text(value) if type(value) is str else value,
    )
    environment.filters.update(
        gib=gib,
        svg=lambda text: Markup(text),  # noqa: S704 - made by report/picture and bench/picture, which escape
    )
    return environment


def _text(value: str) -> str:
    """Control characters made visible but for line breaks; halves of surrogate pairs cannot be written as UTF-8."""
    lines = (printable(line) for line in value.split("\n"))
    return "\n".join(lines).encode("utf-8", "replace").decode()
