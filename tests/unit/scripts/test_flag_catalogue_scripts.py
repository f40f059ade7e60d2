"""The scripts that make the catalogues: reading a parser, reading a launcher's source, the file between them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts" / "flags"
sys.path.insert(0, str(SCRIPTS))

import catalogue_file  # noqa: E402
import read_tgi  # noqa: E402
import read_tree  # noqa: E402
import serialise  # noqa: E402
import stubs  # noqa: E402

RELEASES = ["0.1", "0.2", "0.3", "0.4"]
PRESENT = st.fixed_dictionaries(
    {r: st.dictionaries(st.sampled_from("abc"), st.fixed_dictionaries({"kind": st.sampled_from(["int", "str"])})) for r in RELEASES}
)  # fmt: skip


@given(PRESENT)
def test_stretches_of_releases_say_just_what_each_release_had(present: dict[str, dict[str, Any]]) -> None:
    rows = catalogue_file.intervals(RELEASES, present)
    assert catalogue_file.expand(RELEASES, [list(row) for row in rows]) == present


@given(PRESENT)
def test_a_written_catalogue_is_read_back(present: dict[str, dict[str, Any]]) -> None:
    import tempfile

    rows = catalogue_file.intervals(RELEASES, present)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flags.json"
        catalogue_file.write_rows(path, {"releases": RELEASES}, rows)
        assert catalogue_file.read_rows(path) == json.loads(json.dumps({"releases": RELEASES, "rows": rows}))


def rows_of(*arguments: tuple[tuple[str, ...], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    parser = argparse.ArgumentParser()
    for names, options in arguments:
        parser.add_argument(*names, **options)
    return {row["dest"]: row for row in serialise.rows(parser)}


def test_every_kind_of_argument_becomes_a_row() -> None:
    def sizes(word: str) -> dict[str, int]:
        return {"a": int(word)}

    found = rows_of(
        (("tag",), {"nargs": "?"}),
        (("--size", "-s"), {"type": int, "default": 4, "choices": [1, 4]}),
        (("--switch",), {"action": argparse.BooleanOptionalAction, "default": True}),
        (("--on",), {"action": "store_true"}),
        (("--many",), {"nargs": "+", "type": float}),
        (("--again",), {"action": "append"}),
        (("--json",), {"type": json.loads, "default": {"a": 1}}),
        (("--object",), {"default": object()}),
        (("--old",), {"help": "Deprecated: use --size instead."}),
        (("--own",), {"type": sizes}),
    )
    assert found["tag"]["spellings"] == []
    assert (found["size"]["spellings"], found["size"]["kind"], found["size"]["choices"]) == (
        ["--size", "-s"],
        "int",
        [1, 4],
    )
    assert (found["switch"]["negations"], found["switch"]["action"]) == (["--no-switch"], "switch")
    assert (found["on"]["kind"], found["on"]["action"]) == ("bool", "store_true")
    assert (found["many"]["nargs"], found["many"]["kind"]) == ("+", "float")
    assert found["again"]["action"] == "append"
    assert (found["json"]["kind"], found["json"]["default"]) == ("json", {"a": 1})
    assert (found["object"]["computed"], found["object"]["default"]) == (True, None)
    assert found["old"]["deprecated"] == "--size"
    assert found["own"]["deprecated"] is None


def test_a_flag_that_another_took_over_is_no_row() -> None:
    parser = argparse.ArgumentParser(conflict_handler="resolve")
    parser.add_argument("--a", dest="first")
    parser.add_argument("--a", dest="second")
    assert [row["dest"] for row in serialise.rows(parser)] == ["second"]


LAUNCHER = """
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// The first.
    PlainOne,
    #[clap(name = "two_2")]
    Two,
}
#[derive(Parser, Debug)]
struct Args {
    /// A model.
    #[clap(default_value = "some/model", long, env)]
    model: String,
    #[clap(long, env, value_enum)]
    kind: Option<Kind>,
    #[clap(long, env)]
    switch: bool,
    /// Legacy version of [`Args::longest`].
    #[clap(long, env)]
    long_one: Option<usize>,
    #[clap(long, env)]
    longest: Option<usize>,
    #[clap(default_value = "3000", long, short, env)]
    port: u16,
    #[clap(long, env, value_delimiter = ',')]
    sizes: Option<Vec<usize>>,
}
"""


def test_a_launchers_struct_becomes_rows() -> None:
    rows = {row["dest"]: row for row in read_tgi.read(LAUNCHER)}
    assert list(rows) == ["model", "kind", "switch", "long_one", "longest", "port", "sizes"]
    assert (rows["model"]["default"], rows["model"]["env"]) == ("some/model", "MODEL")
    assert rows["kind"]["choices"] == ["plain-one", "two_2"]
    assert (rows["switch"]["action"], rows["switch"]["default"]) == ("store_true", False)
    assert rows["long_one"]["deprecated"] == "--longest"
    assert (rows["port"]["spellings"], rows["port"]["range"]) == (["--port", "-p"], {"ge": 0, "le": 65535})
    assert (rows["sizes"]["action"], rows["sizes"]["delimiter"]) == ("append", ",")
    with pytest.raises(LookupError):
        read_tgi.read("fn main() {}")


ENGINE = """
import argparse
import torch
from missing_package.sub import helper, Base

class Config(Base):
    kernel: torch.Tensor | None = None

@helper
def parser():
    found = argparse.ArgumentParser()
    found.add_argument("--size", type=int, default=torch.cuda.device_count() or 2)
    return found
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ModuleType]:
    """A package that needs what is not installed, imported with stubs."""
    (tmp_path / "pretend").mkdir()
    (tmp_path / "pretend" / "__init__.py").write_text("")
    (tmp_path / "pretend" / "args.py").write_text(ENGINE)
    (tmp_path / "pretend" / "broken.py").write_text("raise RuntimeError('no device')")
    before = (dict(sys.modules), list(sys.meta_path))
    finder = stubs.install("pretend", tmp_path)
    try:
        import pretend.args
        import pretend.broken

        pretend.args.finder = finder
        yield pretend.args
    finally:
        sys.meta_path[:] = before[1]
        for name in set(sys.modules) - set(before[0]):
            del sys.modules[name]
        sys.modules.update(before[0])


def test_an_engines_parser_runs_without_its_heavy_packages(engine: Any) -> None:
    (row,) = serialise.rows(engine.parser())
    assert (row["spellings"], row["default"]) == (["--size"], 2)


def test_a_module_that_fails_is_told_and_not_hidden(engine: Any) -> None:
    assert list(engine.finder.failed) == ["pretend.broken"]


def test_the_syntax_tree_tells_a_flag_that_the_parser_did_not_register(tmp_path: Path) -> None:
    (tmp_path / "vllm" / "engine").mkdir(parents=True)
    (tmp_path / "vllm" / "engine" / "arg_utils.py").write_text(
        "def add(parser):\n    parser.add_argument('--one')\n    parser.add_argument('--two', '-t')\n"
    )
    rows = [{"spellings": ["--one"], "negations": []}]
    assert read_tree.differences("vllm", tmp_path, rows) == ["+--two", "+-t"]
