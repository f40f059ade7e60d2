"""Every error ends as a message: the user's with the way out, our own with a log for a bug report."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from servespec.errors import ServespecError, missing_extra

ISSUES_URL = "https://github.com/servespec/servespec/issues"


@dataclass
class Outcome:
    """The exit code, to be set inside of the guard."""

    code: int = 0


@contextmanager
def guard(arguments: Sequence[str]) -> Iterator[Outcome]:
    """Turn whatever is raised inside into a message on stderr and an exit code."""
    outcome = Outcome()
    try:
        yield outcome
        if not sys.stdout.closed:  # the language server closes it when the editor goes
            sys.stdout.flush()
    except ServespecError as error:
        print(f"servespec: error: {error}", file=sys.stderr)
        outcome.code = error.exit_code
    except KeyboardInterrupt:
        print("servespec: interrupted", file=sys.stderr)
        outcome.code = 130
    except BrokenPipeError:
        # whoever read our output has gone; the interpreter's own flush at exit must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        outcome.code = 141
    except Exception as error:
        missing = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
        if missing is not None:
            print(f"servespec: error: {missing}", file=sys.stderr)
            outcome.code = missing.exit_code
            return
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            # Where the output goes to, or where temporary files are; what is still buffered cannot be kept.
            print("servespec: error: cannot write: no space left on device", file=sys.stderr)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            outcome.code = 2
            return
        path = _write_log(arguments)
        kind = type(error).__name__
        where = (
            f"a log is in {path}; please report it at {ISSUES_URL}"
            if path
            else f"please report it at {ISSUES_URL}"
        )
        print(f"servespec: internal error ({kind}): {where}", file=sys.stderr)
        outcome.code = 2


def _write_log(arguments: Sequence[str]) -> str | None:
    """What a bug report needs, without anything that has the form of a secret."""
    import platform
    import tempfile
    import traceback

    from servespec._version import __version__
    from servespec.spec.secrets import redact

    text = (
        f"servespec {__version__}\nPython {sys.version}\n{platform.platform()}\n"
        f"arguments: {list(arguments)}\n\n{traceback.format_exc()}"
    )
    try:
        descriptor, path = tempfile.mkstemp(prefix="servespec-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(redact(text))
    except OSError:
        return None
    return path
