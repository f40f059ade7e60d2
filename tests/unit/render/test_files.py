import re
from pathlib import Path

import pytest

from servespec.errors import RenderError
from servespec.render import Artefact, drift, write
from servespec.render.header import Header, stamp

HEADER = Header(spec="a.yaml", target="vllm 1.0", format="shell").comment()


def artefact(body: str, path: str = "a.sh", executable: bool = False) -> Artefact:
    return Artefact(path, stamp(HEADER + body), executable)


def test_writes_files_and_folders_and_marks_scripts(tmp_path: Path) -> None:
    written = write(
        [artefact("one\n", "deep/a.sh", executable=True), artefact("two\n", "b")], tmp_path / "new"
    )
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["new/deep/a.sh", "new/b"]
    assert written[0].stat().st_mode & 0o111
    assert not written[1].stat().st_mode & 0o111
    assert written[0].read_text().endswith("one\n")


def test_replaces_what_servespec_wrote_before(tmp_path: Path) -> None:
    write([artefact("one\n")], tmp_path)
    write([artefact("two\n")], tmp_path)
    assert (tmp_path / "a.sh").read_text().endswith("two\n")


@pytest.mark.parametrize("present", ["mine\n", artefact("one\n").text + "# and mine\n"])
def test_keeps_what_a_person_wrote_unless_forced(tmp_path: Path, present: str) -> None:
    (tmp_path / "a.sh").write_text(present)
    with pytest.raises(RenderError, match="changed by hand"):
        write([artefact("other\n", "b"), artefact("two\n")], tmp_path)
    assert (tmp_path / "a.sh").read_text() == present
    assert not (tmp_path / "b").exists()
    write([artefact("two\n")], tmp_path, force=True)
    assert (tmp_path / "a.sh").read_text().endswith("two\n")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RenderError, match="file: it is a file, and files are written into a folder"):
        write([artefact("one\n")], tmp_path / "file")


def test_a_folder_that_may_not_be_written_is_said_by_the_file_and_not_by_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / ".a.sh.x1y2"))

    monkeypatch.setattr("servespec.writing.tempfile.mkstemp", refuse)
    with pytest.raises(
        RenderError, match=rf"cannot write {re.escape(str(tmp_path / 'a.sh'))}: Permission denied"
    ):
        write([artefact("one\n")], tmp_path)


def test_leaves_nothing_half_written_behind(tmp_path: Path) -> None:
    (tmp_path / "a.sh").mkdir()
    with pytest.raises(RenderError):
        write([artefact("one\n")], tmp_path, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.sh"]


def test_no_drift_where_files_agree(tmp_path: Path) -> None:
    write([artefact("one\n")], tmp_path)
    assert list(drift([artefact("one\n")], tmp_path)) == []


def test_drift_is_a_unified_diff(tmp_path: Path) -> None:
    write([artefact("one\n")], tmp_path)
    (difference,) = drift([artefact("two\n")], tmp_path)
    assert "-one\n" in difference
    assert "+two\n" in difference


def test_a_missing_file_is_drift(tmp_path: Path) -> None:
    (difference,) = drift([artefact("one\n")], tmp_path)
    assert difference.startswith("--- /dev/null\n")
    assert "+one\n" in difference
