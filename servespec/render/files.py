"""Artefacts on disk: written atomically, never over a person's work, and compared with what is there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from servespec.errors import RenderError
from servespec.render.artefact import Artefact
from servespec.render.header import is_untouched
from servespec.writing import is_special, write_atomically

EXECUTABLE = 0o755
READABLE = 0o644


def write(artefacts: Sequence[Artefact], folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write artefacts into a folder, all or none of them; returns the paths.

    A file that is there and was not written by servespec, or was changed since, is kept: RenderError,
    unless ``force``. Raises RenderError too when a path cannot be written.
    """
    targets = tuple((folder / artefact.path, artefact) for artefact in artefacts)
    if not force:
        kept = [str(path) for path, artefact in targets if not _may_replace(path, artefact)]
        if kept:
            raise RenderError(
                f"{', '.join(kept)}: changed by hand, or not written by servespec; "
                "nothing was written (--force overwrites, -o names another folder)"
            )
    for path, artefact in targets:
        try:
            _write_one(path, artefact)
        except OSError as error:
            if isinstance(error, FileExistsError | NotADirectoryError):
                raise RenderError(
                    f"cannot write {error.filename}: it is a file, and files are written into a folder"
                ) from error
            raise RenderError(f"cannot write {path}: {error.strerror}") from error
    return tuple(path for path, _ in targets)


def drift(artefacts: Sequence[Artefact], folder: Path) -> Iterator[str]:
    """Unified diffs from what lies in the folder to what the spec means; nothing when they agree."""
    for artefact in artefacts:
        path = folder / artefact.path
        present = _read(path)
        if present == artefact.text:
            continue
        name = Path(folder, artefact.path).as_posix()
        yield "".join(
            _whole_lines(
                difflib.unified_diff(
                    [] if present is None else present.splitlines(keepends=True),
                    artefact.text.splitlines(keepends=True),
                    fromfile=name if present is not None else "/dev/null",
                    tofile=f"{name} (as the spec means it)",
                )
            )
        )


def _whole_lines(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RenderError(f"cannot read {path}: {error.strerror}") from error


def _may_replace(path: Path, artefact: Artefact) -> bool:
    if is_special(path):
        return True
    present = _read(path)
    return present is None or present == artefact.text or is_untouched(present)


def _write_one(path: Path, artefact: Artefact) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, artefact.text, EXECUTABLE if artefact.executable else READABLE)
