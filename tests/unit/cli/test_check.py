"""``servespec check`` from the shell's point of view: output, exit codes, no traceback ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from servespec.cli import invoke

GOOD = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
targets: {vllm: {version: 0.25.1}}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_a_spec_that_fits_exits_with_0_and_shows_its_memory(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["check", str(good)]) == 0
    out = capsys.readouterr().out
    assert "vllm 0.25.1: fits" in out
    assert "KV cache" in out


def test_the_last_line_names_the_option_that_shows_fixes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "typo.yaml"
    path.write_text(GOOD.replace("limits:", "limit:"))
    assert invoke(["check", str(path)]) == 1
    assert capsys.readouterr().out.endswith("(`--diff --unsafe-fixes` shows fixes)\n")
    assert invoke(["check", str(path), "--diff", "--unsafe-fixes"]) == 1
    assert "+limits:" in capsys.readouterr().out


def test_json_is_one_object_with_the_argument_as_path(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "--format", "json", str(good), str(good.parent / "missing.yaml")]) == 1
    report = json.loads(capsys.readouterr().out)
    first, second = report["files"]
    assert first["path"] == str(good)
    assert first["verdict"] == "fits"
    memory = first["targets"][0]["memory"]
    terms = ("weights", "activation", "non_torch", "cuda_graph", "kv_cache")
    assert sum(memory[f"{term}_bytes"] for term in terms) == memory["budget_bytes"]
    assert (second["verdict"], second["targets"]) == ("invalid", [])
    assert second["diagnostics"][0]["code"] == "SV002"


def test_the_same_mistakes_are_reported_whatever_else_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace("H100-80GB", "H100-90GB").replace("8192", "-1"))
    assert invoke(["check", "-f", "json", str(path)]) == 1
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["verdict"] == "invalid"
    found = {d["code"]: (d["line"], d["column"]) for d in file["diagnostics"] if d["severity"] == "error"}
    assert found == {"SV015": (4, 17), "SV013": (5, 25)}


def test_an_unknown_model_is_an_error_that_says_how_to_give_its_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace("meta-llama/Llama-3.1-8B-Instruct", "nobody/nothing-like-it"))
    assert invoke(["check", "-f", "json", str(path)]) == 1
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["targets"][0]["verdict"] == "unknown"
    assert file["targets"][0]["memory"] is None
    (diagnostic,) = [d for d in file["diagnostics"] if d["code"] == "SV016"]
    assert "model.config" in diagnostic["message"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check"], 2),
        (["check", "--no-such-option", "x"], 2),
        (["check", "--format", "nonsense", "x"], 2),
        (["check", "--target", "vlm", "x"], 2),
        (["nonsense"], 2),
        (["check", "no-such-file.yaml"], 1),
        (["check", "no-such-*.yaml"], 2),
        (["--version"], 0),
        (["--help"], 0),
        (["check", "--help"], 0),
    ],
)
def test_exit_codes_tell_findings_from_misuse(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(arguments) == code


def test_strict_counts_warnings_and_exit_zero_counts_nothing(good: Path) -> None:
    good.write_text(GOOD.replace("0.25.1", "0.25.1.dev7"))
    assert invoke(["check", str(good)]) == 0
    assert invoke(["check", "--strict", str(good)]) == 1
    assert invoke(["check", "--strict", "--exit-zero", str(good)]) == 0
    assert invoke(["check", "--strict", "--ignore", "SV017", "--select", "SV0", str(good)]) == 0


def test_a_folder_gives_its_specs_and_leaves_other_yaml_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.yaml").write_text(GOOD)
    (tmp_path / "other.yaml").write_text("kind: Deployment\n")
    (tmp_path / ".gitlab-ci.yml").write_text("servespec: # a job\n  script: [make]\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert invoke(["check", "-f", "json", str(tmp_path)]) == 0
    assert [file["path"] for file in json.loads(capsys.readouterr().out)["files"]] == [
        str(tmp_path / "b" / "one.yaml")
    ]
    assert invoke(["check", str(tmp_path / "loop" / "**" / "one.yaml")]) == 0


def test_hostile_paths_are_told_and_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "circle.yaml").symlink_to(tmp_path / "circle.yaml")
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    for name in ("fifo.yaml", "circle.yaml", "empty.yaml", "binary.yaml"):
        assert invoke(["check", str(tmp_path / name)]) == 1, name
    assert invoke(["check", "/dev/zero", "/dev/null", "a\0b"]) == 1
    assert "Traceback" not in "".join(capsys.readouterr())


def test_standard_input_is_a_file_named_dash(good: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "servespec", "check", "-f", "json", "-"],
        input=GOOD,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"][0]["path"] == "-"


def test_the_report_can_be_written_to_a_file(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["check", "-f", "json", "--output", str(tmp_path / "out.json"), str(good)]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["schema"] == "report.v1"
    assert capsys.readouterr().out == ""
    assert invoke(["check", "--output", str(tmp_path / "no" / "out.json"), str(good)]) == 2


def test_an_unexpected_error_leaves_a_log_and_no_traceback(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import servespec.check  # noqa: F401

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz")

    monkeypatch.setattr(sys.modules["servespec.check"], "check_files", broken)
    assert invoke(["check", str(good)]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    log = Path(err.split("a log is in ")[1].split(";")[0])
    assert "RuntimeError" in log.read_text()
    assert "hf_abc" not in log.read_text()
    log.unlink()


def test_a_plain_check_imports_neither_typer_nor_rich(good: Path) -> None:
    code = (
        "import sys; from servespec.cli import invoke; invoke(['check', sys.argv[1]]); "
        "print([m for m in ('typer', 'click', 'rich', 'argparse', 'jinja2', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(good)], text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def shell(*words: str | bytes, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "servespec", *words], cwd=cwd, capture_output=True, check=False
    )


def test_a_file_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    done = shell("check", b"\xff.yaml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert b"SV002" in done.stdout
    assert b"\\udcff.yaml" in done.stdout


def test_a_terminal_that_knows_ascii_only_is_no_reason_to_stop(good: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "servespec", "check", str(good)],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_report_can_go_to_a_device(good: Path) -> None:
    done = shell("check", "--output", "/dev/stdout", "-f", "json", str(good), cwd=good.parent)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema"] == "report.v1"


def test_a_reader_that_leaves_early_is_no_error_to_shout_about(good: Path) -> None:
    paths = " ".join([str(good)] * 3)
    done = subprocess.run(
        f"{sys.executable} -m servespec check -f json {paths} | head -c 1",
        shell=True,
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_without_space_is_told_in_a_line(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("servespec: v1\nname: x\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: L4}\n")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "servespec", "check", str(spec)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (2, "servespec: error: cannot write: no space left on device\n")
