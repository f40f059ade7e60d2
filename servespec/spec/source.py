"""Reading a spec's text from where it lives: bounded, from regular files only, UTF-8 only."""

from __future__ import annotations

import errno
import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from servespec.diagnostics import Diagnostic, Span
from servespec.spec.problems import problem

MAX_SOURCE_BYTES = 1 << 20
"""A spec is a page or two; a megabyte is no spec."""

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What YAML counts as a line end."""


class Source(NamedTuple):
    """One file's text. ``path`` is as given, ``directory`` is where its relative paths start."""

    path: str
    text: str
    directory: Path


def _unreadable(path: str, message: str) -> Diagnostic:
    return problem("SV002", message, path, Span(1, 1, 1, 1))


def read_regular(path: str, most_bytes: int) -> bytes:
    """At most ``most_bytes`` + 1 bytes of a regular file; never waits. Raises OSError, with ``strerror``, for all else."""
    if "\0" in path:
        raise OSError(errno.EINVAL, "the path has a NUL character")
    # O_NONBLOCK: opening a named pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENXIO, "it is no regular file")
        size = min(status.st_size, most_bytes) + 1
        data = os.read(descriptor, size)
        if len(data) < size:
            return data
        with os.fdopen(descriptor, "rb", closefd=False) as file:  # longer than it says, or growing
            return data + file.read(most_bytes + 1 - len(data))
    finally:
        os.close(descriptor)


def read_bytes(path: str) -> bytes | Diagnostic:
    """At most ``MAX_SOURCE_BYTES`` + 1 bytes of a regular file, or why it cannot be read."""
    try:
        return read_regular(path, MAX_SOURCE_BYTES)
    except FileNotFoundError:
        return _unreadable(path, "no such file")
    except IsADirectoryError:
        return _unreadable(path, "cannot be read: it is a folder")
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENXIO, errno.EWOULDBLOCK):
            reason = "it is no regular file; use '-' to read from standard input"
        return _unreadable(path, f"cannot be read: {reason}")


def decode(data: bytes, path: str) -> str | Diagnostic:
    """The text of a spec's bytes, or why they are none. A UTF-8 byte order mark is dropped."""
    if len(data) > MAX_SOURCE_BYTES:
        return problem(
            "SV003", f"larger than {MAX_SOURCE_BYTES:,} bytes, which no spec is", path, Span(1, 1, 1, 1)
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[:2].count(0) == 1:
        return _unreadable(path, "the text is UTF-16 or UTF-32; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, error.start - data.rfind(b"\n", 0, error.start)
        return problem(
            "SV002",
            f"not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start:,}",
            path,
            Span(line, column, line, column + 1),
        )
    if "\0" in text:
        position = text.index("\0")
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
        return problem(
            "SV002",
            "not a text file: it holds a NUL character",
            path,
            Span(line, column, line, column + 1),
        )
    return text


def read(path: str) -> Source | Diagnostic:
    """The source of one file, or the diagnostic that says why there is none."""
    data = read_bytes(path)
    if isinstance(data, Diagnostic):
        return data
    text = decode(data, path)
    if isinstance(text, Diagnostic):
        return text
    return Source(path, text, _folder(os.path.dirname(path)))  # noqa: PTH120 (a Path for each file costs more)


@lru_cache(maxsize=64)
def _folder(path: str) -> Path:
    """The same object for the files of one folder."""
    return Path(path)
