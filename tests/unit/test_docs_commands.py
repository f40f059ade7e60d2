"""Every command that a page under docs/ shows in a block of its own works as it is shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
OF_TEMPLATES = ("commands.md",)
"""Pages whose blocks are usage lines with names in capitals."""
LLAMA = "llama-3.1-8b-h100.yaml"
ENDS_WITH = {
    "servespec diff a.yaml b.yaml": 1,  # they differ
    "servespec flags vllm 0.33.0 swap_space": 1,  # that version has it no more
}
"""Exit codes that are an answer; 0 where none is given."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the lines are a shell's")


def lines(page: Path) -> list[str]:
    """Lines of console blocks, and of indented blocks, that call servespec; without comments."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^(?:    |\$ )(servespec .*)$", text, re.MULTILINE)
    return [re.sub(r"\s+# .*", "", line) for line in found]


SHOWN = {page.name: lines(page) for page in PAGES if page.name not in OF_TEMPLATES and lines(page)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files by the names that the pages use, and a ``servespec`` on the PATH."""
    work = tmp_path_factory.mktemp("docs")
    llama = (ROOT / "examples" / LLAMA).read_text(encoding="utf-8")
    for name in ("llama.yaml", "chat.yaml", "a.yaml"):
        (work / name).write_text(llama, encoding="utf-8")
    (work / "b.yaml").write_text(
        re.sub(r"max_model_len: \d+", "max_model_len: 4096", llama), encoding="utf-8"
    )
    shutil.copy(ROOT / "examples" / "qwen3-32b-2xa100.yaml", work / "qwen3-32b.yaml")
    (work / "awq").mkdir()
    row = ROOT / "servespec" / "models" / "catalogue" / "Qwen--Qwen3-32B-AWQ.json"
    config = json.loads(row.read_text(encoding="utf-8"))["config"]
    (work / "awq" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    plan = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    (prices,) = re.findall(r"((?:^    .*\n)*^    currency: .*\n(?:^    .*\n)*)", plan, re.MULTILINE)
    (work / "prices.yaml").write_text(prices.replace("\n    ", "\n").removeprefix("    "), encoding="utf-8")
    (work / "compose.yaml").write_text(
        "services:\n  llm:\n    image: vllm/vllm-openai:v0.25.1\n    command: --model Qwen/Qwen3-8B\n",
        encoding="utf-8",
    )
    program = work / "bin" / "servespec"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m servespec "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return work


def test_the_pages_show_commands() -> None:
    assert sum(len(commands) for commands in SHOWN.values()) > 10


@pytest.mark.parametrize("page", SHOWN)
def test_the_commands_of_a_page_work_as_they_are_shown_one_after_the_other(page: str, folder: Path) -> None:
    environment = os.environ | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    for line in SHOWN[page]:
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == ENDS_WITH.get(line, 0), f"{line}: {done.stdout}{done.stderr}"
        assert "error:" not in done.stderr, line
