"""What lies at a path: links in circles, pipes, devices, unreadable files, files that change while they are read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import LIMIT_SECONDS, fuzz, watched
from hypothesis import strategies as st

from servespec.check import check_file
from servespec.cli import invoke
from servespec.report import write
from servespec.report.model import CheckReport
from servespec.spec import load

SPEC = "servespec: v1\nname: x\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: H100-80GB}\ntargets: {vllm: {}}\n"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="named pipes, links and modes of POSIX")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def long_loop(path: Path) -> None:
    other = path.with_name(f"other-{path.name}")
    other.symlink_to(path.name)
    path.symlink_to(other.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def hole(path: Path) -> None:
    """Ten gigabytes that take no space."""
    path.touch()
    os.truncate(path, 10 * 2**30)


def folder(path: Path) -> None:
    path.mkdir()


def unreadable(path: Path) -> None:
    path.write_text(SPEC)
    path.chmod(0)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


KINDS: tuple[Callable[[Path], None], ...] = (
    os.mkfifo,
    loop,
    long_loop,
    device,
    terminal,
    hole,
    folder,
    unreadable,
    dangling,
)
ROLES = {
    "spec": ("spec.yaml", SPEC),
    "base": ("base.yaml", "extends: ./base.yaml\n" + SPEC),
    "configuration": ("m/config.json", SPEC.replace("Qwen/Qwen3-8B", "./m")),
    "configuration given": ("config.json", SPEC.replace("Qwen/Qwen3-8B", "a/b, config: ./config.json")),
    "quantization": ("m/hf_quant_config.json", SPEC.replace("Qwen/Qwen3-8B", "./m")),
    "tensors": ("m/model.safetensors", SPEC.replace("Qwen/Qwen3-8B", "./m")),
    "index": ("m/model.safetensors.index.json", SPEC.replace("Qwen/Qwen3-8B", "./m")),
    "lock": ("servespec.lock", SPEC),
    "project": ("servespec.toml", SPEC),
    "python project": ("pyproject.toml", SPEC),
    "calibration": (".servespec/calibration/a.json", SPEC),
}


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("role", ROLES)
def test_a_check_ends_whatever_lies_in_the_place_of_a_file(
    tmp_path: Path, role: str, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    name, text = ROLES[role]
    (tmp_path / "m").mkdir()
    if name != "m/config.json":
        (tmp_path / "m" / "config.json").write_text(
            '{"architectures": ["LlamaForCausalLM"], "hidden_size": 64}'
        )
    place = tmp_path / name
    place.parent.mkdir(parents=True, exist_ok=True)
    make(place)
    spec = tmp_path / "spec.yaml"
    if role != "spec":
        spec.write_text(text)
    with watched("test_a_check_ends_whatever_lies_in_the_place_of_a_file"):
        code = invoke(["check", str(spec)])
        invoke(["check", str(tmp_path)])
    assert code in (0, 1, 2)
    assert "internal error" not in capsys.readouterr().err


COMMANDS = (["check"], ["check", "--fix"], ["upgrade"], ["diff"], ["explain"], ["render", "--target", "vllm"], ["import"], ["observe"],
            ["lock"], ["report"], ["plan"])  # fmt: skip


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_every_command_ends_whatever_it_is_given(
    tmp_path: Path, command: list[str], make: Callable[[Path], None], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "given.yaml")
    with watched("test_every_command_ends_whatever_it_is_given"):
        code = invoke([*command, *(["given.yaml"] * (2 if command == ["diff"] else 1))])
    said = capsys.readouterr()
    assert code in (0, 1, 2), said
    assert "internal error" not in said.err and "Traceback" not in said.err + said.out
    if make not in (unreadable, folder) and command != [
        "report"
    ]:  # root reads everything; a page tells of what is wrong
        assert code != 0


def test_the_kinds_are_what_they_say(tmp_path: Path) -> None:
    for make in KINDS:
        make(tmp_path / make.__name__)
    assert stat.S_ISFIFO((tmp_path / "mkfifo").stat().st_mode)
    assert (tmp_path / "hole").stat().st_size == 10 * 2**30
    with pytest.raises(OSError):
        (tmp_path / "loop").read_bytes()


@fuzz(
    st.lists(
        st.sampled_from([SPEC, SPEC[:40], SPEC * 30, "", "\0", SPEC.replace("x", "é" * 300)]),
        min_size=2,
        max_size=4,
    ),
    share=0.2,
)
def test_a_file_that_is_written_while_it_is_read(texts: list[str]) -> None:
    """Another thread writes it over and over, in place and by another file in its place."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"servespec-changing-{os.getpid()}.yaml"
    done = threading.Event()

    def rewrite() -> None:
        while not done.is_set():
            for number, text in enumerate(texts):
                if number % 2:
                    path.write_text(text)
                else:
                    other = path.with_suffix(".new")
                    other.write_text(text)
                    other.replace(path)

    path.write_text(texts[0])
    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(3):
            report = CheckReport(files=(check_file(load(path)),))
            for name in ("text", "json", "sarif"):
                write(report, name)
    finally:
        done.set()
        writer.join()
        path.unlink()


def test_a_tree_of_links_that_leads_into_itself_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "spec.yaml").write_text(SPEC)
    (tmp_path / "a" / "up").symlink_to("..", target_is_directory=True)
    done = subprocess.run(
        [sys.executable, "-m", "servespec", "check", "--format", "json", str(tmp_path)],
        capture_output=True, timeout=10 * LIMIT_SECONDS, check=False, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"path"') == 1
