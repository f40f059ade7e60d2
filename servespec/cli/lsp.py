"""``servespec lsp``: the language server."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over standard input and output (there is no other way).")
    ] = True,
) -> None:
    """Run the language server for editors.

    Findings while typing, hover, completion, fixes. Needs 'servespec[lsp]'.
    """
    from servespec.lsp import serve

    serve()
