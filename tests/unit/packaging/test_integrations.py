"""The GitHub Action, the GitLab job, the container file, the SchemaStore entry and shell completion do what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
FITS = "servespec: v1\nname: fits\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: H100-80GB}\ntargets: {vllm: {version: 0.32.0}}\n"
BROKEN = FITS.replace("H100-80GB", "H1O0-80GB")


def yaml(name: str) -> Any:
    return YAML(typ="safe").load(ROOT / name)


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A runner's folder in which the action's first step has been done: servespec is installed."""
    commands = tmp_path / "temp" / "servespec" / "bin"
    commands.mkdir(parents=True)
    command = commands / "servespec"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m servespec "$@"\n')
    command.chmod(0o755)
    (tmp_path / "repository").mkdir()
    return tmp_path


def check_step(runner: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    action = yaml("action.yml")
    step = next(step for step in action["runs"]["steps"] if step["name"] == "Check")
    given = {name: inputs.get(name, found["default"]) for name, found in action["inputs"].items()}
    env = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: given[m[1]], value)
        for name, value in step["env"].items()
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=runner / "repository",
        env={**os.environ, **env, "RUNNER_TEMP": str(runner / "temp"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_action_passes_on_a_spec_that_fits_and_writes_sarif(runner: Path) -> None:
    (runner / "repository" / "a.servespec.yaml").write_text(FITS)
    done = check_step(runner, sarif="out.sarif")
    assert done.returncode == 0, done.stderr
    sarif = json.loads((runner / "repository" / "out.sarif").read_text())
    assert sarif["version"] == "2.1.0"


def test_the_action_fails_on_a_broken_spec_and_annotates_its_line(runner: Path) -> None:
    (runner / "repository" / "a b.servespec.yaml").write_text(BROKEN)
    done = check_step(runner, files="a b.servespec.yaml\n", sarif="out.sarif")
    assert done.returncode == 1
    assert "::error " in done.stdout and "line=4" in done.stdout
    assert (runner / "repository" / "out.sarif").is_file()


def test_what_is_given_to_the_action_is_never_run_as_shell(runner: Path) -> None:
    marker = runner / "repository" / "marker"
    check_step(runner, files='$(touch marker)\n"; touch marker; "\n`touch marker`', targets="$(touch marker)")
    assert not marker.exists()
    for step in yaml("action.yml")["runs"]["steps"]:
        assert "${{" not in step["run"], "an input inside of a script would be pasted into it"


def test_the_gitlab_job_writes_its_report_and_fails_on_an_error(runner: Path) -> None:
    job = yaml("docs/ci/gitlab-ci.yml")["servespec"]
    path = f"{runner / 'temp' / 'servespec' / 'bin'}:{os.environ['PATH']}"
    for text, expected in ((FITS, 0), (BROKEN, 1)):
        (runner / "repository" / "a.servespec.yaml").write_text(text)
        done = subprocess.run(
            ["sh", "-ec", "\n".join(job["script"])],
            cwd=runner / "repository",
            env={**os.environ, **job["variables"], "PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected, done.stderr
        report = runner / "repository" / job["artifacts"]["reports"]["codequality"]
        assert isinstance(json.loads(report.read_text()), list)


def test_the_container_runs_as_nobody_and_copies_what_the_build_needs() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    assert any(re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", line) for line in lines)
    assert 'ENTRYPOINT ["servespec"]' in lines
    copied = {
        word
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert all((ROOT / name).exists() for name in copied)
    needed = set(re.findall(r'"(LICENSE|README\.md)"', (ROOT / "pyproject.toml").read_text()))
    assert needed <= copied


def test_the_schemastore_entry_names_the_schema_by_its_own_id() -> None:
    entry = json.loads((ROOT / "docs" / "schemastore" / "catalog-entry.json").read_text())
    schema = json.loads((ROOT / "schema" / "servespec.v1.json").read_text())
    assert entry["url"] == schema["$id"]
    assert schema["$schema"].startswith("http://json-schema.org/draft-07")
    for name, ours in (
        ("servespec.yaml", True),
        ("llama.servespec.yml", True),
        ("serve.yaml", False),
        ("a.yaml", False),
    ):
        assert any(fnmatch(name, pattern) for pattern in entry["fileMatch"]) is ours


@pytest.mark.parametrize(
    ("words", "expected"),
    [("servespec ch", "check"), ("servespec ls", "lsp"), ("servespec check --f", "--format")],
)
def test_the_shell_completes_commands_and_options(words: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "servespec"],
        env={
            **os.environ,
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
            "_SERVESPEC_COMPLETE": "complete_bash",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in done.stdout.split()
