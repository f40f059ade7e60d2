"""Renew the flag catalogues from the engines' published packages.

    python scripts/flags/renew.py                    every engine, releases that are not in its catalogue yet
    python scripts/flags/renew.py vllm --all         every release again
    python scripts/flags/renew.py vllm 0.33.0        one release
    python scripts/flags/renew.py tgi --tgi-repository PATH    a clone of TGI's public repository

Each release's parser is run in a fresh process on the sources of its wheel (see read_vllm.py, read_sglang.py);
the flag names are read from the syntax tree too (read_tree.py) and must be the same. Nothing is installed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import read_tgi
from catalogue_file import FLAGS_DIR, Row, expand, intervals, read_rows, slim, write_rows
from packages import Release, extract_sources, releases
from read_tree import differences

from servespec.rules.versions import version_key

HERE = Path(__file__).resolve().parent
TGI_REPOSITORY = "https://github.com/huggingface/text-generation-inference"
_GETENV = re.compile(
    r"""(?:environ(?:\.get|\.setdefault)?|getenv|get_bool_env_var|get_int_env_var)\s*[\(\[]\s*["']([A-Z][A-Z0-9_]+)["']"""
)
_RUST_ENV = re.compile(r"""env::var(?:_os)?\(\s*"([A-Z][A-Z0-9_]+)"\s*\)""")


@dataclass(frozen=True)
class Engine:
    """Where one engine's releases come from, and the variables that its sources speak of by prefix."""

    project: str
    package: str
    since: str
    own_variables: re.Pattern[str]
    variable_files: str


PYTHON_ENGINES = {
    "vllm": Engine("vllm", "vllm", "0.6.0", re.compile(r"\bVLLM_[A-Z0-9_]+\b"), "vllm/envs.py"),
    "sglang": Engine(
        "sglang", "sglang", "0.4.0", re.compile(r"\b(?:SGLANG|SGL)_[A-Z0-9_]+\b"), "sglang/**/*.py"
    ),
}


@dataclass(frozen=True)
class Reading:
    """What was read from one release."""

    version: str
    flags: dict[str, Row]
    syntax: Row
    environment: list[str]
    source: Row


def named(rows: list[Row]) -> dict[str, Row]:
    """Rows by name: where the engine keeps the value (dest), or the flag itself where two share one."""
    dests = [row["dest"] for row in rows]
    found: dict[str, Row] = {}
    for row in rows:
        name = row["dest"]
        if dests.count(name) > 1 or name in found:
            name = row["spellings"][0].lstrip("-").replace("-", "_")
        properties = slim({key: value for key, value in row.items() if key != "dest"})
        if name != row["dest"]:
            properties["dest"] = row["dest"]
        found[name] = properties
    return found


def environment(sources: Path, engine: Engine) -> list[str]:
    names: set[str] = set()
    for path in sources.rglob("*.py"):
        names.update(_GETENV.findall(path.read_text("utf-8", errors="replace")))
    for path in sources.glob(engine.variable_files):
        names.update(engine.own_variables.findall(path.read_text("utf-8", errors="replace")))
    return sorted(name for name in names if not name.endswith("_"))


def read_release(name: str, release: Release) -> Reading:
    engine = PYTHON_ENGINES[name]
    with tempfile.TemporaryDirectory() as folder:
        sources, out = Path(folder, "sources"), Path(folder, "flags.json")
        extract_sources(release, engine.package, sources)
        command = [sys.executable, str(HERE / f"read_{name}.py"), str(sources), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise SystemExit(f"{name} {release.version}: the parser did not run:\n{done.stderr[-2000:]}")
        result = json.loads(out.read_text("utf-8"))
        apart = differences(name, sources, result["flags"])
        if apart:
            print(f"{name} {release.version}: parser and syntax tree differ: {apart}", file=sys.stderr)
        source = {
            "file": release.filename, "sha256": release.sha256, "uploaded": release.uploaded,
            "method": "parser, checked against the syntax tree", "differences": apart, "stubbed": result["stubbed"],
        }  # fmt: skip
        return Reading(
            release.version, named(result["flags"]), result["syntax"], environment(sources, engine), source
        )


def read_tgi_release(repository: str, tag: str) -> Reading:
    def show(path: str) -> str:
        return subprocess.check_output(["git", "-C", repository, "show", f"{tag}:{path}"], text=True)

    def grep(pattern: str, *paths: str) -> str:
        command = ["git", "-C", repository, "grep", "-hE", pattern, tag, "--", *paths]
        return subprocess.run(command, capture_output=True, text=True).stdout

    rows = read_tgi.read(show("launcher/src/main.rs"))
    commit = subprocess.check_output(
        ["git", "-C", repository, "rev-parse", f"{tag}^{{commit}}"], text=True
    ).strip()
    names = {row["env"] for row in rows if row["env"]}
    names.update(_RUST_ENV.findall(grep("env::var", "launcher", "router")))
    names.update(_GETENV.findall(grep("environ|getenv", "server")))
    syntax = {
        "underscores": False,
        "dotted": False,
        "dotted_lists": False,
        "serve_takes_model": True,
        "clap": True,
    }
    source = {"repository": TGI_REPOSITORY, "commit": commit, "method": "syntax of launcher/src/main.rs"}
    return Reading(tag.removeprefix("v"), named(rows), syntax, sorted(names), source)


def merge(name: str, readings: list[Reading]) -> None:
    """Put readings into the committed files of one engine, in place of what was there for those releases."""
    folder = FLAGS_DIR / name / "flags"
    old_flags, old_environment = read_rows(folder / "flags.json"), read_rows(folder / "environment.json")
    sources: Row = read_rows(folder / "sources.json") if (folder / "sources.json").exists() else {}
    known: list[str] = old_flags["releases"]
    flags = expand(known, old_flags["rows"])
    variables = expand(known, old_environment["rows"])
    syntax = {r: p for since, p in old_flags.get("syntax", {}).items() for r in [since]}
    by_release: dict[str, Row] = {}
    held: Row = {}
    for release in known:
        held = syntax.get(release, held)
        by_release[release] = held
    for reading in readings:
        flags[reading.version] = reading.flags
        variables[reading.version] = dict.fromkeys(reading.environment, 1)
        by_release[reading.version] = reading.syntax
        sources[reading.version] = reading.source
    ordered = sorted(flags, key=version_key)
    changes: Row = {}
    for before, release in zip([None, *ordered], ordered, strict=False):
        if before is None or by_release[before] != by_release[release]:
            changes[release] = by_release[release]
    write_rows(folder / "flags.json", {"releases": ordered, "syntax": changes}, intervals(ordered, flags))
    write_rows(folder / "environment.json", {"releases": ordered}, intervals(ordered, variables))
    ordered_sources = {release: sources[release] for release in ordered}
    (folder / "sources.json").write_text(json.dumps(ordered_sources, indent=1) + "\n", "utf-8")
    print(f"{name}: {len(ordered)} releases, {len(intervals(ordered, flags))} rows")


def wanted(name: str, asked: list[str], everything: bool, found: list[Any], version_of: Any) -> list[Any]:
    known = set(read_rows(FLAGS_DIR / name / "flags" / "flags.json")["releases"])
    if asked:
        return [item for item in found if version_of(item) in asked]
    return [item for item in found if everything or version_of(item) not in known]


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("engine", nargs="?", choices=[*PYTHON_ENGINES, "tgi"])
    arguments.add_argument("versions", nargs="*")
    arguments.add_argument("--all", action="store_true", help="read releases again that are there already")
    arguments.add_argument("--tgi-repository", help="a clone of TGI's repository; fetched when absent")
    asked = arguments.parse_args()
    for name, engine in PYTHON_ENGINES.items():
        if asked.engine in (None, name):
            found = wanted(
                name, asked.versions, asked.all, releases(engine.project, engine.since), lambda r: r.version
            )
            with ThreadPoolExecutor(2) as pool:
                readings = list(pool.map(lambda release, name=name: read_release(name, release), found))
            merge(name, readings)
    if asked.engine in (None, "tgi"):
        with tempfile.TemporaryDirectory() as folder:
            repository = asked.tgi_repository or folder
            if asked.tgi_repository is None:
                subprocess.check_call(["git", "clone", "-q", "--bare", TGI_REPOSITORY, folder])
            tags = subprocess.check_output(["git", "-C", repository, "tag", "-l", "v*"], text=True).split()
            final = [tag for tag in tags if re.fullmatch(r"v[1-9]\d*\.\d+\.\d+", tag)]
            chosen = wanted("tgi", asked.versions, asked.all, final, lambda tag: tag.removeprefix("v"))
            merge("tgi", [read_tgi_release(repository, tag) for tag in chosen])


if __name__ == "__main__":
    main()
