"""The door: one file per command; arguments in, one call, report out.

A command is a module of this folder that is named like it (``flags.py`` is ``servespec flags``,
an underscore becomes a dash) and has a function ``command`` with Typer's annotations. Its docstring
is the help. It returns the exit code, None for 0. It is imported when it is called, so it may
import Typer at its top; what it works with, it imports inside of the function. A ServespecError that
it raises becomes a clean message. Modules that begin with an underscore are no commands.

``check`` alone is read without Typer, which takes longer to import than a spec takes to check.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

__all__ = ["invoke", "main"]


def main() -> None:
    """The console script."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # file names that are no text, terminals without an arrow
    code = invoke(sys.argv[1:])
    if sys.argv[1:2] == ["check"]:
        # nothing is left to clean up, and freeing every object of the interpreter takes as long as a check
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def invoke(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code."""
    # pydantic looks for plug-ins in every installed distribution, which costs more than a check
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from servespec.cli._guard import guard

    with guard(arguments) as outcome:
        outcome.code = _dispatch(list(arguments))
    return outcome.code


def _dispatch(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from servespec._version import __version__

        print(f"servespec {__version__}")
        return 0
    if arguments[:1] == ["check"]:
        gc.disable()  # what is made is kept for the report: some kilobytes of a file are garbage in circles
        from servespec.cli._options import parse
        from servespec.cli.check import ARGUMENT, OPTIONS, check

        values = parse(arguments[1:], ARGUMENT, OPTIONS)
        if values is not None:
            return check(**values)
    from servespec.cli._app import call

    return call(arguments)
