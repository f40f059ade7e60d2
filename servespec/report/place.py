"""Paths and fingerprints that are the same on every run and every machine."""

from __future__ import annotations

import hashlib
import os
from collections import Counter

from servespec.diagnostics import Diagnostic
from servespec.report.model import CheckReport

STDIN_NAME = "stdin.yaml"
"""What standard input is called in formats that need a file."""


def relative_path(path: str) -> str:
    """The path below the working directory with forward slashes; a path outside of it stays as it is."""
    if path == "-":
        return STDIN_NAME
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive on Windows, or a NUL character
        return path.replace(os.sep, "/")
    shown = path if relative.startswith("..") else relative
    return shown.replace(os.sep, "/")


def fingerprints(report: CheckReport) -> list[tuple[str, Diagnostic, str]]:
    """(path, finding, fingerprint) of every finding of the report.

    The fingerprint is made of path, code, engine and key, not of the line or the message: it stays when
    lines move or a figure changes. Equal ones are told apart by their order.
    """
    seen: Counter[str] = Counter()
    result = []
    for file in report.files:
        for d in file.diagnostics:
            path = relative_path(d.file or file.path)
            parts = (path, d.code, d.engine or "", d.key or (d.message if d.key is None else ""))
            digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
            number = seen[digest]
            seen[digest] += 1
            result.append((path, d, f"{digest}:{number}" if number else digest))
    return result
