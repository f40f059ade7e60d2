"""Writing over a path that a person names: whole, through links, and never in the place of a device."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from servespec.render.artefact import Artefact
from servespec.render.files import write
from servespec.writing import write_atomically


def read_pipe(pipe: Path, got: list[str]) -> threading.Thread:
    thread = threading.Thread(target=lambda: got.append(pipe.read_bytes().decode()), daemon=True)
    thread.start()
    return thread


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = read_pipe(pipe, got)
    write_atomically(pipe, "a\r\nb\n")
    reader.join(5)
    assert got == ["a\r\nb\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_an_artefact_rendered_to_a_pipe_or_a_link_leaves_it_what_it_is(tmp_path: Path) -> None:
    pipe, got = tmp_path / "a.sh", list[str]()
    os.mkfifo(pipe)
    reader = read_pipe(pipe, got)
    write([Artefact("a.sh", "one\n", executable=True)], tmp_path)
    reader.join(5)
    assert got == ["one\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "b.env").symlink_to("kept.env")
    (tmp_path / "kept.env").write_text("")
    write([Artefact("b.env", "one\n")], tmp_path, force=True)
    assert (tmp_path / "b.env").is_symlink()
    assert (tmp_path / "kept.env").read_text() == "one\n"


def test_a_file_keeps_its_permissions_and_its_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "a\r\nb\n")
    assert path.read_bytes() == b"a\r\nb\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
