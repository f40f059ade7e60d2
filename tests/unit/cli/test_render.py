"""``servespec render`` as people call it."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from servespec.cli import invoke

SPEC = {
    "servespec": "v1",
    "name": "a-model",
    "model": {"id": "meta-llama/Llama-3.1-8B-Instruct"},
    "hardware": {"gpu": "H100-80GB"},
    "limits": {"max_model_len": 8192},
    "targets": {"vllm": {"version": "0.25.1"}},
}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return save(tmp_path, SPEC)


def save(folder: Path, data: dict[str, object]) -> Path:
    path = folder / "a.yaml"
    path.write_text(json.dumps(data))  # JSON is YAML
    return path


@dataclass(frozen=True)
class Done:
    """What came of a command line."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def servespec(capfd: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: object) -> Done:
        code = invoke([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return call


def test_compose_goes_to_standard_output_and_nothing_else_does(servespec: Command, spec: Path) -> None:
    done = servespec("render", spec)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# Rendered by servespec")
    assert "services:" in done.stdout


def test_several_files_are_told_apart(servespec: Command, spec: Path) -> None:
    done = servespec("render", spec, "-f", "shell", "-f", "argv")
    assert "==> a-model.sh <==" in done.stdout
    assert "==> a-model.argv.json <==" in done.stdout


def test_files_are_written_and_found_to_be_up_to_date(servespec: Command, spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = servespec("render", spec, "-f", "all", "-o", out)
    assert written.returncode == 0
    assert str(out / "a-model.compose.yaml") in written.stdout.splitlines()
    assert os.access(out / "a-model.sh", os.X_OK)
    assert servespec("render", spec, "-f", "all", "-o", out, "--check").returncode == 0


def test_drift_is_a_diff_and_exit_code_1(servespec: Command, spec: Path, tmp_path: Path) -> None:
    servespec("render", spec, "-o", tmp_path)
    save(tmp_path, {**SPEC, "limits": {"max_model_len": 4096}})
    done = servespec("render", spec, "-o", tmp_path, "--check")
    assert done.returncode == 1
    assert '-      - "8192"\n' in done.stdout
    assert '+      - "4096"\n' in done.stdout


def test_a_file_changed_by_hand_is_kept_until_forced(servespec: Command, spec: Path, tmp_path: Path) -> None:
    servespec("render", spec, "-o", tmp_path)
    path = tmp_path / "a-model.compose.yaml"
    path.write_text(path.read_text().replace("8192", "1024"))
    done = servespec("render", spec, "-o", tmp_path)
    assert done.returncode == 2
    assert "changed by hand" in done.stderr
    assert "1024" in path.read_text()
    assert servespec("render", spec, "-o", tmp_path, "--force").returncode == 0
    assert "8192" in path.read_text()


def test_several_engines_have_a_folder_each(servespec: Command, spec: Path, tmp_path: Path) -> None:
    save(tmp_path, {**SPEC, "targets": {"vllm": {}, "tgi": {}}})
    done = servespec("render", spec, "-o", tmp_path / "out")
    assert done.returncode == 0
    assert (tmp_path / "out/vllm/a-model.compose.yaml").is_file()
    assert (tmp_path / "out/tgi/a-model.compose.yaml").is_file()


def test_one_engine_of_several_needs_none(servespec: Command, spec: Path, tmp_path: Path) -> None:
    save(tmp_path, {**SPEC, "targets": {"vllm": {}, "tgi": {}}})
    servespec("render", spec, "-t", "tgi", "-o", tmp_path / "out")
    assert (tmp_path / "out/a-model.compose.yaml").is_file()


def test_a_spec_that_the_engine_would_refuse_is_not_rendered(
    servespec: Command, spec: Path, tmp_path: Path
) -> None:
    save(tmp_path, {**SPEC, "targets": {"vllm": {"version": "0.25.1", "args": {"no_such_flag": 1}}}})
    done = servespec("render", spec)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no_such_flag" in done.stderr.replace("-", "_")


def test_a_key_that_the_version_cannot_express_is_not_dropped_in_silence(
    servespec: Command, spec: Path, tmp_path: Path
) -> None:
    save(
        tmp_path,
        {
            **SPEC,
            "parallel": {"pipeline": 2},
            "hardware": {"gpu": "H100-80GB", "count": 2},
            "targets": {"tgi": {}},
        },
    )
    done = servespec("render", spec)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot express parallel.pipeline" in done.stderr


def test_a_spec_that_does_not_fit_is_rendered_with_the_warning(
    servespec: Command, spec: Path, tmp_path: Path
) -> None:
    save(tmp_path, {**SPEC, "hardware": {"gpu": "L4-24GB"}, "limits": {"max_model_len": 131072}})
    done = servespec("render", spec)
    assert done.returncode == 0
    assert "services:" in done.stdout
    assert "KV cache" in done.stderr


def test_a_broken_spec_shows_its_mistakes(servespec: Command, spec: Path, tmp_path: Path) -> None:
    save(tmp_path, {**SPEC, "limits": {"max_model_length": 1}})
    done = servespec("render", spec)
    assert (done.returncode, done.stdout) == (1, "")
    assert "max_model_len" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-f", "docker-compose"), "no format 'docker-compose'"),
        (("-t", "vlm"), "'vlm' is none of"),
        (("-f", "lws"), "needs several nodes"),
    ],
)
def test_what_there_is_not_is_said_with_what_there_is(
    servespec: Command, spec: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = servespec("render", spec, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_formats_are_listed(servespec: Command, spec: Path) -> None:
    assert "compose" in servespec("render", spec, "-f", "list").stdout.splitlines()


def test_templates_of_the_users_own_go_first(servespec: Command, spec: Path, tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "serve.sh.j2").write_text("{{ header | comment }}# mine\n")
    done = servespec("render", spec, "-f", "shell", "--templates", tmp_path)
    assert done.stdout.endswith("# mine\n")
