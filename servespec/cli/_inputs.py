"""What ``FILE…`` means: files as they are, the specs of a folder, globs, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.errors import ServespecError, SpecError, UsageError

if TYPE_CHECKING:
    from servespec.spec.loader import LoadedSpec

SUFFIXES = (".yaml", ".yml")
_SKIPPED = {"node_modules", "__pycache__", "venv"}
_MARK = b"servespec:"


def expand(arguments: Sequence[str]) -> list[str]:
    """Paths to check, each once, in the order given; a folder gives its specs in order of path.

    A folder's file is a spec when a line of it begins with ``servespec:`` and a value; without one it may be
    the name of a job or a service. Raises UsageError when nothing is left to check.
    """
    paths: dict[str, None] = {}
    for argument in arguments:
        if argument == "-":
            paths["-"] = None
        elif os.path.isdir(argument):  # noqa: PTH112 (a path with NUL is no folder, Path would raise)
            paths.update(dict.fromkeys(_specs_below(argument)))
        elif any(sign in argument for sign in "*?[") and not os.path.lexists(argument):
            paths.update(dict.fromkeys(_glob(argument)))
        else:
            paths[argument] = None
    if not paths:
        raise UsageError(f"nothing to check: no spec in {', '.join(arguments)}")
    return list(paths)


def load_inputs(arguments: Sequence[str]) -> Iterator[LoadedSpec]:
    """Load what the arguments mean, one after the other."""
    return load_all(expand(arguments))


def load_all(paths: Sequence[str]) -> Iterator[LoadedSpec]:
    """Load files, and standard input where a path is '-'."""
    from servespec.spec.loader import load, load_text
    from servespec.spec.source import MAX_SOURCE_BYTES

    for path in paths:
        if path == "-":
            yield load_text(sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1))
        else:
            yield load(path)


def load_one(path: str | Path) -> LoadedSpec:
    """Load the one spec that a command is about; '-' is standard input."""
    return next(load_all([str(path)]))


def unreadable(loaded: LoadedSpec) -> SpecError:
    """The error for a file that a command cannot go on with, with the first thing that is wrong with it."""
    from servespec.report.excerpt import printable

    first, *others = loaded.diagnostics
    at = f":{first.span.line}:{first.span.column}" if first.span is not None else ""
    more = f" (`servespec check` shows {len(others)} more)" if others else ""
    return SpecError(printable(f"{loaded.path}{at}: {first.message}{more}"))


def _specs_below(folder: str) -> Iterator[str]:
    for directory, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(files):
            path = str(Path(directory) / name)
            if name.endswith(SUFFIXES) and _looks_like_spec(path):
                yield path


def _looks_like_spec(path: str) -> bool:
    from servespec.spec.source import read_bytes

    data = read_bytes(path)
    return isinstance(data, bytes) and any(
        line.startswith(_MARK) and line.removeprefix(_MARK).partition(b"#")[0].strip()
        for line in data.removeprefix(b"\xef\xbb\xbf").splitlines()
    )


def _glob(pattern: str) -> list[str]:
    from glob import glob

    return sorted(
        path
        for path in glob(pattern, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute patterns)
        if not Path(path).is_dir()
    )


def write_atomically(path: str, text: str) -> None:
    """Write a whole file or nothing. Raises ServespecError."""
    from servespec import writing

    try:
        writing.write_atomically(Path(path), text)
    except OSError as error:
        raise ServespecError(f"cannot write {path}: {error.strerror or error}") from error
