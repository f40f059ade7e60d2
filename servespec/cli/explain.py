"""``servespec explain``: a spec's memory term by term, or a rule."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import Online, Targets

_RULE = re.compile(r"(?i)sv\d*|[a-z0-9]+(-[a-z0-9]+)*")
"""A code, a beginning of one, or a name."""


def _codes(incomplete: str) -> list[tuple[str, str]]:
    from servespec.rules.index import INDEX

    return [(code, name) for code, name, *_ in INDEX if incomplete and code.startswith(incomplete.upper())]


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|CODE",
            help="A spec, or a rule's code or name.",
            show_default=False,
            autocompletion=_codes,
        ),
    ],
    target: Targets = None,
    svg: Annotated[
        str | None, typer.Option("--svg", metavar="FILE", help="Write the picture to a file.")
    ] = None,
    online: Online = False,
) -> int:
    """Explain a spec's memory term by term, or a rule.

    Each term of the memory has its formula and source.
    """
    from servespec.report.style import style_of

    style = style_of(sys.stdout)
    if _RULE.fullmatch(what) and not Path(what).exists():
        from servespec.diagnostics import RULES_URL
        from servespec.errors import UsageError
        from servespec.report.explanation import explain_card
        from servespec.rules.registry import find_card

        card = find_card(what)
        if card is None:
            raise UsageError(f"no rule and no file is named {what!r} (`servespec rules` lists the rules)")
        sys.stdout.write(explain_card(card, f"{RULES_URL}/{card.code}", style))
        return 0
    from servespec.api import check
    from servespec.cli._inputs import load_inputs, write_atomically
    from servespec.diagnostics import Severity
    from servespec.report import write
    from servespec.report.explanation import explain_file
    from servespec.report.picture import svg as draw

    report = check(load_inputs([what]), targets=tuple(target or ()), online=online)
    for file in report.files:
        sys.stdout.write(explain_file(file, style) if file.targets else "")
    if any(d.severity is Severity.error for d in report.diagnostics()):
        sys.stderr.write(write(report, "concise"))
    if svg is not None:
        write_atomically(svg, draw(report.files[0]))
    return report.exit_code()
