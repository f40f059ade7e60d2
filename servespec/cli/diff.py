"""``servespec diff``: the semantic difference of two specs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import Online, TextOrJson


def command(
    old: Annotated[
        Path, typer.Argument(metavar="A", help="A spec; '-' reads standard input.", readable=False)
    ],
    new: Annotated[Path, typer.Argument(metavar="B", help="The spec to compare it with.", readable=False)],
    output_format: TextOrJson = "text",
    online: Online = False,
) -> int:
    """Compare two specs by what they mean.

    Keys, effective settings of each engine, memory, findings. Exits with 0 when they mean the same, 1 when they differ.
    """
    from servespec.cli._inputs import load_one, unreadable
    from servespec.report.comparison import as_json, as_text
    from servespec.upgrade import compare

    loaded = load_one(old), load_one(new)
    for one in loaded:
        if one.spec is None and one.partial is None:
            raise unreadable(one)
    found = compare(*loaded, online=online)
    sys.stdout.write(as_json(found) if output_format == "json" else as_text(found))
    return 0 if found.is_same else 1
