"""A document that is open in an editor: its text, what was read of it and what was found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from servespec.check import check_file
from servespec.report.model import FileReport
from servespec.spec.loader import LoadedSpec, load_text

_DECLARES = re.compile(r"^[\"']?servespec[\"']?[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """One state of an open document. ``lines`` are without their ends."""

    text: str
    lines: tuple[str, ...]
    loaded: LoadedSpec
    report: FileReport


def is_spec(text: str, path: str) -> bool:
    """Whether a YAML document is one of ours: it says so, or its name does."""
    return _DECLARES.search(text) is not None or "servespec" in Path(path).name


def read(text: str, path: str) -> Document:
    """Check a text as if it were the file at ``path``; nothing is read from that file itself."""
    loaded = load_text(text, path, Path(path).parent)
    return Document(text, tuple(text.splitlines()), loaded, check_file(loaded))
