"""The example of an infrastructure repository: its specs, artefacts, hooks and pipelines, as a team would use them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from servespec.cli import invoke

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "infra-repo"
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")


def yaml(name: str) -> Any:
    return YAML(typ="safe").load(EXAMPLE / name)


def hooks() -> list[dict[str, Any]]:
    return list(yaml(".pre-commit-config.yaml")["repos"][0]["hooks"])


def commands() -> list[list[str]]:
    """Every command of servespec in the two pipelines."""
    jobs = yaml(".github/workflows/servespec.yml")["jobs"]
    lines = [
        line for job in jobs.values() for step in job["steps"] for line in step.get("run", "").splitlines()
    ]
    lines += yaml(".gitlab-ci.yml")["servespec"]["script"]
    return [words[1:] for words in map(shlex.split, lines) if words[:1] == ["servespec"]]


def test_every_command_of_the_pipelines_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "infra")
    monkeypatch.chdir(tmp_path / "infra")
    assert len(commands()) == 8
    for words in commands():
        assert invoke(words) == 0, (words, capsys.readouterr())


def test_the_hooks_say_of_drift_what_the_pipelines_say() -> None:
    ours = {tuple(sorted(hook["args"])) for hook in hooks() if hook["id"] == "servespec-render-check"}
    theirs = {tuple(sorted({*words[1:]} - {"--check"})) for words in commands() if words[0] == "render"}
    assert {tuple(sorted(set(words))) for words in ours} == theirs


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "mistralai/Mistral-7B-Instruct-v0.3", "SV593"),
        ("gpu: H100-80GB", "gpu: A100-80GB", "SV592"),
        ("  vllm: {version: 0.25.1}", "  vllm: {version: 0.25.1, image: docker.io/someone/vllm:1}", "SV591"),
        ("  revision: 0e9e39f249a16976918f6564b8830bc894c89659\n", "", "SV505"),
    ],
)
def test_the_policy_is_an_error_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, code: str
) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "infra")
    spec = tmp_path / "infra" / "serving" / "chat.servespec.yaml"
    text = spec.read_text(encoding="utf-8")
    assert old in text
    spec.write_text(text.replace(old, new), encoding="utf-8")
    assert invoke(["check", "--format", "concise", str(spec)]) == 1
    assert f" {code} " in capsys.readouterr().out


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, cwd=folder, text=True, capture_output=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode == 3 and "pip" in done.stdout:  # pre-commit's own failure: was it the registry?
        asked = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "hatchling",
            "-d",
            str(folder),
        ]
        if subprocess.run(asked, capture_output=True, check=False).returncode != 0:
            pytest.skip("pre-commit cannot install the hooks: no package registry can be reached")
    return done


@pytest.fixture(scope="module")
def hooks_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last commit of this repository, as a project that uses its hooks would get it."""
    folder = tmp_path_factory.mktemp("hooks")
    assert run(folder, "git", "clone", "--quiet", str(ROOT), "servespec").returncode == 0
    return folder / "servespec"


@pytest.mark.slow
def test_pre_commit_shows_findings_at_their_lines_and_passes_without_any(
    tmp_path: Path, hooks_repository: Path
) -> None:
    infra, home = tmp_path / "infra", str(tmp_path / "home")
    shutil.copytree(EXAMPLE, infra)
    revision = run(hooks_repository, "git", "rev-parse", "HEAD").stdout.strip()
    config = infra / ".pre-commit-config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("https://github.com/servespec/servespec", str(hooks_repository)).replace(
            "v0.1.0", revision
        ),
        encoding="utf-8",
    )

    def pre_commit(*words: str) -> subprocess.CompletedProcess[str]:
        assert run(infra, "git", "add", ".").returncode == 0
        run(infra, "git", *IDENTITY, "commit", "--quiet", "--allow-empty", "-m", "a change")
        return run(
            infra,
            sys.executable,
            "-m",
            "pre_commit",
            *words,
            "--all-files",
            "--verbose",
            PRE_COMMIT_HOME=home,
        )

    assert run(infra, "git", "init", "--quiet").returncode == 0
    good = pre_commit("try-repo", str(hooks_repository), "servespec-check")
    assert good.returncode == 0, good.stdout + good.stderr
    for name in ("chat", "coder", "batch-summaries"):
        assert f"serving/{name}.servespec.yaml: vllm 0.25.1: fits" in good.stdout
    assert "base.yaml" not in good.stdout
    good = pre_commit("run")
    assert good.returncode == 0, good.stdout + good.stderr
    assert good.stdout.count("Passed") == len(hooks())

    spec = infra / "serving" / "chat.servespec.yaml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("max_model_len: 16384", "max_model_len: 1638400"), encoding="utf-8")
    line = 1 + text.splitlines().index("  max_model_len: 16384")
    bad = pre_commit("try-repo", str(hooks_repository), "servespec-check")
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert f"serving/chat.servespec.yaml:{line}:" in bad.stdout
    assert "SV101" in bad.stdout
    bad = pre_commit("run")
    assert bad.returncode == 1
    assert "deploy/chat" in bad.stdout, "what is committed is no longer what the spec says"
