"""The language server: the same check as on the command line, while a person types.

``serve`` is the door. It needs the extra ``lsp`` (pygls); everything else here is plain functions of a text and
a position.
"""

from __future__ import annotations

__all__ = ["serve"]


def serve() -> None:
    """Speak the protocol over standard input and output until the editor ends it. Raises MissingExtraError."""
    from servespec.errors import MissingExtraError

    try:
        from servespec.lsp.server import build
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("pygls", "lsprotocol"):
            raise MissingExtraError("pygls", "lsp") from error
        raise
    build().start_io()
