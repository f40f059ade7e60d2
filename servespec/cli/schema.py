"""``servespec schema``: print the JSON Schemas."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    report: Annotated[
        bool, typer.Option("--report", help="The schema of `check --format json` instead of the spec's.")
    ] = False,
) -> None:
    """Print the JSON Schema of the spec.

    From it editors complete and explain the keys.
    """
    from servespec.schemas import report_text, spec_text

    print(report_text() if report else spec_text(), end="")
