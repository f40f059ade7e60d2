"""The door itself: help that fits 80 columns, and usage errors in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from servespec.cli import invoke
from servespec.cli._app import command_names
from servespec.report import format_names

COMMANDS = sorted(command_names())


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_plain_text_within_80_columns(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Usage: servespec {command} ")
    assert [line for line in lines if len(line) > 80 or not line.isascii()] == []


def test_the_list_of_commands_says_what_each_does_in_a_whole_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke([]) == 2
    out = capsys.readouterr().out
    assert "..." not in out.partition("Commands:")[2]
    assert all(f"\n  {command} " in out for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["smoke", "--fromat", "x"], "no such option: --fromat; did you mean --format?"),
        (["check", "--formt", "json", "x"], "no such option: --formt; did you mean --format?"),
        (["check"], "missing argument 'FILE'"),
        (["chek", "x"], "no such command 'chek'; did you mean 'check' or 'schema'?"),
        (["plan", "x", "--gpus"], "option '--gpus' requires an argument (see `servespec plan --help`)"),
        (["plan", "--nodes", "two", "x"], "invalid value for '--nodes'"),
        (["diff", "a", "b", "--format", "xml"], "'xml' is none of text, json"),
        (["calibrate", "--target", "vlm"], "'vlm' is none of sglang, tgi, vllm"),
        (["run", "x", "--compose", "lxc"], "'lxc' is none of auto, docker, podman"),
        (["smoke", "x", "--url", "localhost:8000"], "does not begin with http:// or https://"),
        (["bench", "a", "b"], "unexpected extra argument"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_help(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("servespec: error: ")
    assert said in line
    assert line.endswith("--help`)")


@pytest.mark.parametrize("command", ["gpus", "rules"])
def test_an_interruption_is_told_and_ends_with_130(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "sys.stdout", SimpleNamespace(write=interrupt, flush=lambda: None, isatty=lambda: False)
    )
    assert invoke([command]) == 130
    assert capsys.readouterr().err == "servespec: interrupted\n"


@pytest.mark.parametrize("command", ["check {spec} -f json", "rules", "gpus"])
def test_a_reader_that_goes_away_is_no_finding(command: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "servespec: v1\nname: a\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: H100}\n"
    )
    words = command.format(spec=tmp_path / "a.yaml").split()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "servespec", *words], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_formats_of_check_are_told_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    *others, last = format_names()
    assert f"{', '.join(others)} or {last}." in told


@pytest.mark.parametrize(
    ("commands", "option"),
    [
        (("smoke", "bench"), "--url"),
        (("smoke", "bench", "run"), "--time-limit"),
        (("smoke", "bench", "run", "calibrate"), "--engine-python"),
        (("smoke", "bench", "run"), "--compose"),
        (("check", "plan", "render", "run", "smoke", "bench", "diff", "upgrade", "report"), "--online"),
    ],
)
def test_an_option_says_the_same_in_every_command(
    commands: tuple[str, ...],
    option: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = set()
    for command in commands:
        invoke([command, "--help"])
        text = re.search(rf" {option} .*?(?=\n  -)", capsys.readouterr().out, re.DOTALL)
        assert text is not None
        said.add(" ".join(text.group().split()))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["servespec", "expl"], ["explain"]),
        (["servespec", "flags", "v"], ["vllm"]),
        (["servespec", "render", "x", "-f", "ku"], ["kubernetes"]),
        (["servespec", "check", "x", "--format", "sa"], ["sarif"]),
        (["servespec", "explain", "SV101"], ["SV101"]),
        (["servespec", "explain", ""], []),
    ],
    ids=lambda value: " ".join(value[1:3]) if value else "",
)
def test_the_shell_completes_what_may_come_next(words: list[str], offered: list[str]) -> None:
    asked = {
        "_SERVESPEC_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "servespec"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == offered
