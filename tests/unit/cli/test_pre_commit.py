"""The hooks, as pre-commit itself runs them on a repository of infrastructure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
HOOKS = ROOT / ".pre-commit-hooks.yaml"
GOOD = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
targets: {vllm: {version: 0.25.1}}
"""


def hooks() -> dict[str, dict[str, Any]]:
    return {hook["id"]: hook for hook in YAML(typ="safe", pure=True).load(HOOKS.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("servespec.yaml", True),
        ("deploy/servespec.yml", True),
        ("deploy/llama.servespec.yaml", True),
        ("deploy/deployment.yaml", False),
        ("servespec.toml", False),
        ("notservespec.yaml", False),
        (".github/workflows/servespec.yml", False),
    ],
)
def test_the_check_hook_takes_specs_and_nothing_else(path: str, matches: bool) -> None:
    hook = hooks()["servespec-check"]
    assert bool(re.search(hook["files"], path) and not re.search(hook["exclude"], path)) is matches


def test_hooks_name_commands_that_there_are() -> None:
    from servespec.cli import invoke

    for hook in hooks().values():
        program, command, *_ = hook["entry"].split()
        assert program == "servespec"
        assert invoke([command, "--help"]) == 0


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
def test_try_repo_shows_findings_at_their_lines(tmp_path: Path) -> None:
    """Installs servespec from the repository's last commit, as a project that uses the hooks would."""
    assert command(tmp_path, "git", "clone", "--quiet", str(ROOT), "hooks").returncode == 0
    infra = tmp_path / "infra"
    infra.mkdir()
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    (infra / "good.servespec.yaml").write_text(GOOD)
    (infra / "bad.servespec.yaml").write_text(GOOD.replace("8192", "-1"))
    (infra / "deployment.yaml").write_text("kind: Deployment\n")
    assert command(infra, "git", "init", "--quiet").returncode == 0
    assert command(infra, "git", "add", ".").returncode == 0
    assert command(infra, "git", *identity, "commit", "--quiet", "-m", "infra").returncode == 0
    done = command(
        infra,
        sys.executable,
        "-m",
        "pre_commit",
        "try-repo",
        str(tmp_path / "hooks"),
        "servespec-check",
        "--all-files",
        "--verbose",
        PRE_COMMIT_HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "bad.servespec.yaml:5:25" in done.stdout
    assert "SV013" in done.stdout
    assert "good.servespec.yaml: vllm 0.25.1: fits" in done.stdout
    assert "deployment.yaml" not in done.stdout
    (infra / "bad.servespec.yaml").write_text(GOOD)
    assert command(infra, "git", "add", ".").returncode == 0
    again = command(
        infra,
        sys.executable,
        "-m",
        "pre_commit",
        "try-repo",
        str(tmp_path / "hooks"),
        "servespec-check",
        "--all-files",
        PRE_COMMIT_HOME=str(tmp_path / "home"),
    )
    assert again.returncode == 0, again.stdout + again.stderr
