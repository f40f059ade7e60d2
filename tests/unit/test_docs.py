"""The pages under docs/ say what the commands do: generated ones are fresh, written ones name what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from servespec.cli._app import build
from servespec.control.settings import Policy, Settings, check_names, read
from servespec.engines import engine_names
from servespec.engines.flag_catalogue import known_versions
from servespec.render import format_names

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GROUP: Any = get_command(build())


def uses(text: str) -> list[str]:
    """Each ``servespec …`` of a code block or a code span, without its comment."""
    blocks = re.findall(r"(?:```(?:sh|console)\n(.*?)```)", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"^    (servespec .*)$", text, re.MULTILINE) + re.findall(
        r"`(servespec [^`]+)`", text
    )
    parts = [part for line in lines for part in re.split(r" # .*| && | [|>] ", line)]
    return [part.removeprefix("$ ").strip() for part in parts if "servespec " in part[:12]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_that_a_page_names_is_there_with_its_options(page: Path) -> None:
    for use in uses(page.read_text(encoding="utf-8")):
        _, command, *words = use.split()
        if command.startswith("-"):
            continue
        assert command in GROUP.commands, use
        options = {flag for each in GROUP.commands[command].params for flag in each.opts} | {"--help", "-h"}
        wrong = [
            word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options
        ]
        assert wrong == [], use


def test_the_pages_use_servespec_at_all() -> None:
    assert sum(len(uses(page.read_text(encoding="utf-8"))) for page in PAGES) > 20


@pytest.mark.parametrize("script", ["commands.py", "spec_page.py"])
def test_a_reference_is_fresh(script: str) -> None:
    done = subprocess.run(
        [sys.executable, f"scripts/{script}", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_extras_of_the_readme_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    line = next(text for text in PAGES[0].read_text(encoding="utf-8").split("\n\n") if "extras:" in text)
    named = set(re.findall(r"`(\w+)`", line.partition("extras:")[2]))
    assert named == set(project["optional-dependencies"]) - {"dev"}


def test_every_format_of_render_is_in_the_page_of_artefacts() -> None:
    table = (ROOT / "docs" / "artefacts.md").read_text(encoding="utf-8")
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(.*?)`", row)
    }
    assert named == set(format_names())


@pytest.mark.parametrize("engine", engine_names())
def test_the_first_release_that_the_page_of_flags_names_is_the_catalogue_s(engine: str) -> None:
    page = (ROOT / "docs" / "flags.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.lower().startswith(f"| {engine} |"))
    known = known_versions(engine)
    assert known[0] in row
    assert known[-1] in row or "every one from" in row


def test_the_page_of_the_configuration_has_every_key_and_its_example_holds(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z].*?) \|", page.partition("## ")[0], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(.*?)`", row)}
    keys = {field.alias or name for name, field in Settings.model_fields.items()} - {"policy"}
    assert named == keys | {f"policy.{field.alias or name}" for name, field in Policy.model_fields.items()}
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "servespec.toml"
    path.write_text(example, encoding="utf-8")
    found = read(str(path))
    assert found is not None
    check_names(found.settings, str(path))


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        (page.name, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert broken == []
