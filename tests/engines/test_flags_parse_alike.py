"""The catalogue's own parser against the real one: for every flag of a version, words that are right and words that are not."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from servespec.engines.flag_catalogue import Flag, FlagCatalogue, load
from servespec.engines.flag_values import word_of

HERE = Path(__file__).parent
VERSIONS = {"vllm": "0.32.0", "sglang": "0.5.23"}
SEED = 7
# The engine's own start-up configuration is read, or the process ends, before there is anything to compare.
LEFT_OUT = {"config", "help", "version", "model"}


def good_words(flag: Flag) -> list[str]:
    """Words that the flag takes."""
    if not flag.takes_value:
        return []
    if flag.choices:
        return [word_of(flag, next(choice for choice in flag.choices if choice is not None))]
    by_kind = {
        "int": "3", "float": "0.5", "size": "2k", "size_or_auto": "4k", "port": "8001", "json": "{}",
        "json_or_kvs": "{}", "kvs": "image=1", "json_or_str": "word", "boolish": "true", "named_path": "name=path",
    }  # fmt: skip
    count = flag.nargs if isinstance(flag.nargs, int) else 1
    return [by_kind.get(flag.kind, "word")] * count


def bad_words(flag: Flag) -> list[str]:
    """A word that it does not take, where there is one."""
    if flag.choices and flag.kind == "str":
        return ["no-such-choice"]
    return (
        ["nonsense"] if flag.kind in ("int", "float", "size", "size_or_auto", "json", "json_or_kvs") else []
    )


def command_lines(catalogue: FlagCatalogue, chance: random.Random) -> Iterator[list[str]]:
    """Words for every flag in every form that a parser may take or refuse."""
    for flag in catalogue.flags.values():
        if flag.is_positional or flag.name in LEFT_OUT or not any(s.startswith("--") for s in flag.spellings):
            continue
        words = good_words(flag)
        for spelling in flag.spellings:
            yield [spelling, *words]
        for negation in flag.negations:
            yield [negation]
        spelling = next(s for s in flag.spellings if s.startswith("--"))
        if len(words) == 1:
            yield [f"{spelling}={words[0]}"]
        yield [spelling.replace("-", "_").replace("__", "--", 1), *words]
        yield [spelling[: chance.randint(4, len(spelling))], *words]
        yield [f"{spelling}=x"] if not flag.takes_value else [spelling]
        yield [spelling, *words, "left-over"]
        yield [spelling + "x", *words]
        if bad := bad_words(flag):
            yield [spelling, *bad]
        if flag.kind == "json":
            yield [f"{spelling}.a.b", "1"]
            yield [f"{spelling}.a+", "x,y"]
    yield from (
        ["-O3"],
        ["-O", "2"],
        ["-x"],
        ["-1"],
        ["--no-such", "a", "b"],
        ["-tp", "2"],
        ["-tp=2"],
        ["-tp2"],
    )


def ask(python: Path, engine: str, argvs: list[list[str]]) -> list[dict[str, object]]:
    done = subprocess.run(
        [python, str(HERE / f"parse_{engine}.py"), "--abbreviations"],
        input="".join(json.dumps(argv) + "\n" for argv in argvs),
        capture_output=True,
        text=True,
        check=False,
    )
    answers = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert len(answers) == len(argvs), done.stderr[-2000:]
    return answers


@pytest.mark.engine
@pytest.mark.parametrize("engine", sorted(VERSIONS))
def test_every_flag_is_taken_refused_and_read_as_the_real_parser_does_it(
    engine: str, request: pytest.FixtureRequest
) -> None:
    python: Path = request.getfixturevalue(f"{engine}_python")
    catalogue = load(engine, VERSIONS[engine])
    head = ["some-model"] if engine == "vllm" else ["--model-path", "some-model"]
    argvs = [[*head, *words] for words in command_lines(catalogue, random.Random(SEED))]
    asked = [["serve", *argv] if engine == "vllm" else argv for argv in argvs]
    different = []
    for argv, answer in zip(argvs, ask(python, engine, asked), strict=True):
        parsed = catalogue.parse(argv)
        # Bounds are held by configuration classes that come after the parser.
        errors = [problem for problem in parsed.errors if problem.code != "out-of-range"]
        if answer["ok"] and errors and all(problem.code == "unknown-key" for problem in errors):
            continue  # some configuration classes look at the keys only after the parser
        if bool(errors) == answer["ok"]:
            different.append((argv, [p.message for p in errors], answer.get("error")))
            continue
        if errors:
            continue
        values = answer["values"]
        assert isinstance(values, dict)
        for name, value in parsed.values.items():
            dest = catalogue.flags[name].dest
            if catalogue.flags[name].nargs is not None or dest != name:
                continue
            simple = value is None or isinstance(value, bool | int | float | str)
            # Objects, and lists that a converter of its own makes of a word, have no like here.
            if simple and dest in values and values[dest][0] not in "<[" and repr(value) != values[dest]:
                different.append((argv, f"{name} is read as {value!r}", f"the engine has {values[dest]}"))
    assert different == []
