"""``servespec flags`` and ``servespec import`` from the shell's point of view."""

from __future__ import annotations

import json
import os
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from servespec.cli import invoke
from servespec.engines.flag_catalogue import load, newest
from servespec.spec.loader import load as load_spec


def test_flags_prints_every_spelling_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["flags", "vllm", "0.25.1", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    spellings = {spelling for flag in data["flags"] for spelling in flag["spellings"]}
    assert spellings == set(load("vllm", "0.25.1").spellings)
    assert {"--tensor-parallel-size", "-tp", "--no-enable-prefix-caching"} <= spellings


def test_flags_prints_one_flag_and_when_it_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["flags", "vllm", "0.10.0", "swap-space"]) == 0
    assert "in 0.6.0 to before 0.18.0" in capsys.readouterr().out
    assert invoke(["flags", "vllm", "0.25.1", "swap_space"]) == 1
    assert "removed in 0.18.0" in capsys.readouterr().out


def test_a_flag_may_be_named_as_on_the_engine_s_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["flags", "vllm", "0.25.1", "--max-model-len"]) == 0
    out = capsys.readouterr().out
    assert "--max-model-len size_or_auto" in out
    assert "range: at least -1" in out


@pytest.mark.parametrize("name", ["--max-model-len", "max_model_len"])
def test_a_flag_may_be_named_without_a_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["flags", "vllm", name]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("--max-model-len size_or_auto")
    assert captured.err == ""


def test_the_list_of_flags_says_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["flags", "vllm"]) == 0
    heading, empty, *lines = capsys.readouterr().out.splitlines()
    assert heading == f"vllm {newest('vllm')}: {len(lines)} flags"
    assert empty == ""


def test_flags_prints_what_changed_since(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["flags", "sglang", "0.5.23", "--since", "0.5.17"]) == 0
    assert "removed    --cuda-graph-max-bs" in capsys.readouterr().out


def test_an_unknown_version_is_taken_as_the_nearest_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["flags", "tgi", "9.9"]) == 0
    said = capsys.readouterr()
    assert said.err == f"warning: no tgi 9.9 in the catalogue; {newest('tgi')} is shown\n"
    assert "--max-total-tokens" in said.out


@pytest.mark.parametrize("words", [["flags", "nosuch"], ["flags", "vllm", "--format", "xml"]])
def test_a_bad_option_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(words) == 2
    assert capsys.readouterr().err.startswith("servespec: error: ")


TWO = "vllm serve a/b --max-model-len 4k\nsglang serve --model-path c/b\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "run.sh"
    path.write_text(TWO)
    return path


def test_import_writes_the_first_server_and_tells_of_the_others(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["import", str(script)]) == 0
    said = capsys.readouterr()
    assert "id: a/b" in said.out
    assert "c/b" not in said.out
    assert said.err.startswith("warning: run.sh has 2 servers, the first is written (others: line 2)")


def test_import_writes_one_file_each_and_overwrites_none(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = script.parent / "specs"
    assert invoke(["import", str(script), "--all", "-o", str(folder)]) == 0
    assert capsys.readouterr().out.split() == [str(folder / "b.yaml"), str(folder / "b-2.yaml")]
    assert all(load_spec(path).spec is not None for path in folder.iterdir())
    assert invoke(["import", str(script), "--all", "-o", str(folder)]) == 2
    assert "give --force" in capsys.readouterr().err


def test_import_takes_the_version_that_it_is_told(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["import", str(script), "--engine-version", "0.10.0"]) == 0
    assert 'version: "0.10.0"\n' in capsys.readouterr().out


def test_a_file_without_a_server_is_a_clean_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xff\xfe no text")
    for wrong in (path, tmp_path / "absent", tmp_path):
        assert invoke(["import", str(wrong)]) == 2
        assert capsys.readouterr().err.startswith("servespec: error: ")


def test_a_command_given_as_a_path_is_told_the_way_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["import", "vllm serve Qwen/Qwen3-8B"]) == 2
    assert "echo '…' | servespec import -" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["import", "upgrade"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("vllm serve a/b".encode("utf-16"), "save it as UTF-8"),
        (b"\xff\x8f\x00\x01", "UTF"),
        (b"servespec: v1\nhardware: {count: " + b"9" * 5000 + b"}\n", "error"),
        (None, "no regular file"),
    ],
)
def test_what_is_no_text_is_refused_by_one_line_and_never_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, data: bytes | None, words: str
) -> None:
    path = tmp_path / "source.yaml"
    if data is None:
        os.mkfifo(path)
    else:
        path.write_bytes(data)
    assert invoke([command, str(path)]) == (1 if command == "upgrade" else 2)  # a spec's mistake, as in check
    message = capsys.readouterr().err
    assert words in message
    assert "internal error" not in message
    assert len(message.splitlines()) == 1


def test_upgrade_and_diff_say_themselves_why_a_file_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("servespec: v1\nname: [\n")
    for arguments in (["upgrade", str(path)], ["diff", str(path), str(path)]):
        assert invoke(arguments) == 1
        assert f"{path}:3:1: YAML syntax" in capsys.readouterr().err


def test_upgrade_writes_through_a_link_and_keeps_the_mode_of_the_file(tmp_path: Path) -> None:
    path, link = tmp_path / "spec.yaml", tmp_path / "link.yaml"
    path.write_text(
        "servespec: v1\nname: x\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: L4}\n"
        "targets: {vllm: {version: 0.25.1}}\n"
    )
    path.chmod(0o640)
    link.symlink_to(path)
    invoke(["upgrade", str(link), "--to", "vllm=0.32.0", "--fix"])
    assert link.is_symlink()
    assert "0.32.0" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.yaml", "spec.yaml"]


def test_the_value_of_a_flag_that_went_is_kept_and_not_said_to_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.sh"
    path.write_text("docker run --gpus all vllm/vllm-openai:v0.25.1 --model a/b --swap-space 4\n")
    assert invoke(["import", str(path)]) == 0
    out = capsys.readouterr().out
    assert 'swap_space: "4"' in out
    assert "has no flag --swap-space" in out
    assert "left out" not in out


def test_upgrade_says_whether_the_file_is_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(
        "servespec: v1\nname: old\nmodel: {id: mistralai/Mistral-7B-Instruct-v0.3}\nhardware: {gpu: H100}\n"
        "targets: {vllm: {version: 0.10.0, args: {swap_space: 4}}}\n"
    )
    before = path.read_text()
    assert invoke(["upgrade", str(path), "--to", "vllm=0.33.0"]) == 0
    assert "--fix rewrites it" in capsys.readouterr().err
    assert path.read_text() == before
    assert invoke(["upgrade", str(path), "--to", "vllm=0.33.0", "--fix"]) == 0
    assert capsys.readouterr().err == f"{path} is rewritten\n"
    assert "swap_space" not in path.read_text()


def test_upgrade_says_so_where_nothing_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "servespec: v1\nname: a\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: H100}\n"
        "targets: {vllm: {version: 0.25.0}}\n"
    )
    assert invoke(["upgrade", str(path), "--to", "vllm=0.25.1"]) == 0
    assert capsys.readouterr().out == (
        "vllm 0.25.0 → 0.25.1\n  no effective setting, memory or finding changes\n"
    )


SPEC = b"servespec: v1\nname: a\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: H100}\ntargets: {vllm: {version: 0.25.1}}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "-"], "-: vllm 0.25.1: fits"),
        (["render", "-", "-f", "shell"], "exec vllm serve Qwen/Qwen3-8B"),
        (["explain", "-"], "-: vllm 0.25.1: fits"),
        (["plan", "-", "--gpus", "H100"], "H100-80GB"),
        (["upgrade", "-", "--to", "vllm=0.32.0"], "vllm 0.25.1 → 0.32.0"),
        (["diff", "-", "{file}"], "no difference"),
        (["lock", "-"], "servespec.lock: a"),
        (["report", "-", "-o", "-"], "<!doctype html>"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_spec_may_come_from_standard_input(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.yaml").write_bytes(SPEC)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(SPEC), encoding="utf-8"))
    assert invoke([word.format(file="a.yaml") for word in words]) == 0
    assert said in capsys.readouterr().out


def test_upgrade_cannot_rewrite_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["upgrade", "-", "--fix"]) == 2
    assert "standard input is none" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "explain", "render", "upgrade", "diff", "plan", "lock"])
def test_every_command_ends_alike_for_a_spec_that_cannot_be_read(tmp_path: Path, command: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("servespec: v1\nname: [\n")
    more = {"render": ["--target", "vllm"], "diff": [str(path)]}.get(command, [])
    assert invoke([command, str(path), *more]) == 1


def test_a_flag_is_shown_with_what_the_engine_takes_when_it_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["flags", "sglang", "0.5.23", "log_level_http"]) == 0
    assert "at start: takes critical, error, warning, info, debug, trace" in capsys.readouterr().out
    assert invoke(["flags", "vllm", "0.33.0", "compilation_config"]) == 0
    assert "cudagraph_mode: takes NONE, PIECEWISE, FULL," in capsys.readouterr().out
