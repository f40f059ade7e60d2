"""The exact flags of the exact version: one catalogue file per engine, loaded for one version at a time.

The data lies in ``<engine>/flags/flags.json`` as rows ``[name, since, until, properties]``, read from the
engines' published packages by ``scripts/flags/renew.py``. `load` keeps the rows of one version and makes a
`Flag` of a row when it is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servespec.rules.versions import is_release, version_key

if TYPE_CHECKING:
    from servespec.engines.flag_argv import ParsedArgv
    from servespec.engines.flag_values import Problem

Json = Any


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of one version.

    ``name`` is where the engine keeps the value (argparse's dest, the launcher's field), ``spellings`` all words that
    give it, ``negations`` those that switch it off. ``action``: ``store`` (takes a value), ``switch`` (has negations),
    ``store_true``, ``store_false``, ``store_const``, ``append``, ``boolish`` (an optional true or false),
    ``refused`` (retired: the engine stops). ``kind``: bool, int, float, str, json, json_or_str, size (``25.6k``),
    size_or_auto, kvs (``image=4,video=1``), json_or_kvs, named_path
    (``name=path``), boolish, port. ``choices`` are all that is accepted, ``values`` known ones
    where others may be given too. ``default`` is a literal unless ``default_computed``. ``deprecated`` is None, or the
    flag to use instead (empty when the engine names none). ``bounds`` has ge, gt, le, lt. ``keys`` are the keys of a
    JSON value, all of them when ``closed``. ``env`` is the variable that means the same (TGI).
    """

    name: str
    spellings: tuple[str, ...]
    kind: str = "str"
    action: str = "store"
    negations: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    optional: bool = False
    choices: tuple[Json, ...] | None = None
    values: tuple[Json, ...] | None = None
    nargs: str | int | None = None
    const: Json = None
    default: Json = None
    default_computed: bool = False
    required: bool = False
    deprecated: str | None = None
    field: str | None = None
    env: str | None = None
    bounds: Mapping[str, float] | None = None
    keys: tuple[str, ...] | None = None
    closed: bool = False
    delimiter: str | None = None
    dest: str = ""
    help: str | None = None

    @property
    def negation(self) -> str | None:
        """The spelling that switches it off: ``--no-…`` where there is one."""
        return next((s for s in self.negations if s.startswith("--no-")), next(iter(self.negations), None))

    @property
    def takes_value(self) -> bool:
        """Whether a word follows it."""
        return self.action in ("store", "append", "boolish")

    @property
    def is_positional(self) -> bool:
        """Whether it is given by its place and not by a word (vLLM's model_tag)."""
        return not self.spellings


@dataclass(frozen=True, slots=True)
class Behind:
    """A value that the parser takes and the program refuses when it starts: it reads JSON, or knows ``choices`` alone.

    ``keys`` lead to the value within the flag's JSON; none of them: the flag's own value. ``any_case`` says that the
    program does not mind the case of letters.
    """

    keys: tuple[str, ...]
    kind: str | None
    choices: tuple[str, ...]
    any_case: bool


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A stretch of releases in which a spelling exists: from ``since`` up to, but without, ``until``."""

    since: str
    until: str | None


def _flag(name: str, row: Mapping[str, Json]) -> Flag:
    def optional_tuple(key: str) -> tuple[Json, ...] | None:
        return tuple(row[key]) if row.get(key) is not None else None

    return Flag(
        name,
        tuple(row["spellings"]),
        row.get("kind", "str"),
        row.get("action", "store"),
        tuple(row.get("negations", ())),
        tuple(row.get("hidden", ())),
        row.get("optional", False),
        optional_tuple("choices"),
        optional_tuple("values"),
        row.get("nargs"),
        row.get("const"),
        row.get("default"),
        row.get("computed", False),
        row.get("required", False),
        row.get("deprecated"),
        row.get("field"),
        row.get("env"),
        row.get("range"),
        optional_tuple("keys"),
        row.get("closed", False),
        row.get("delimiter"),
        row.get("dest", name),
    )


class _Flags(Mapping[str, Flag]):
    """The flags of one version by name; each is made when first asked for."""

    def __init__(self, rows: Mapping[str, Mapping[str, Json]]) -> None:
        self._rows, self._made = rows, dict[str, Flag]()

    def __getitem__(self, name: str) -> Flag:
        flag = self._made.get(name)
        if flag is None:
            flag = self._made[name] = _flag(name, self._rows[name])
        return flag

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a version's parser treats words.

    ``underscores``: ``--max_model_len`` is ``--max-model-len``. ``dotted``: ``--json-flag.key value`` gives one key of
    a JSON value, ``dotted_lists``: ``--json-flag.key+ a,b`` a list. ``serve_takes_model``: ``vllm serve --model X``
    is accepted. ``level``: the flag, or the dotted key of one, that ``-O3`` means. ``clap``: clap's rules instead of argparse's.
    """

    underscores: bool = False
    dotted: bool = False
    dotted_lists: bool = False
    serve_takes_model: bool = True
    level: str | None = None
    clap: bool = False


class FlagCatalogue:
    """All flags of one engine at one version. ``asked`` is the version asked for, ``version`` the one taken."""

    def __init__(self, engine: str, asked: str, version: str) -> None:
        """Select the rows of ``version``, which must be a known one."""
        data = _file(engine, "flags")
        index = _positions(engine)
        at = index[version]
        self.engine, self.asked, self.version = engine, asked, version
        rows: dict[str, Mapping[str, Json]] = {
            name: row
            for name, since, until, row in data["rows"]
            if index[since] <= at and (until is None or at < index[until])
        }
        self.flags: Mapping[str, Flag] = _Flags(rows)
        self._rows = rows
        self._found: dict[str, Flag | None] = {}

    @property
    def exact(self) -> bool:
        """Whether the version asked for is a known one."""
        return is_release(self.asked) and version_key(self.asked) == version_key(self.version)

    @cached_property
    def syntax(self) -> Syntax:
        """How this version's parser treats words."""
        held: Mapping[str, Json] = {}
        index = _positions(self.engine)
        for since, said in _file(self.engine, "flags")["syntax"].items():
            if index[since] <= index[self.version]:
                held = said
        return Syntax(**held)

    @cached_property
    def spellings(self) -> Mapping[str, str]:
        """Every accepted word, negations too, to the name of its flag."""
        found: dict[str, str] = {}
        for name, row in self._rows.items():
            for spelling in row["spellings"]:
                found[spelling] = name
            for spelling in row.get("negations", ()):
                found[spelling] = name
        return found

    def get(self, name: str) -> Flag | None:
        """The flag of that name, in snake or kebab case or in any of its spellings; None when there is none."""
        try:
            return self._found[name]
        except KeyError:
            found = self._found[name] = self._find(name)
            return found

    def _find(self, name: str) -> Flag | None:
        if name in self.flags:
            return self.flags[name]
        snake = name.lstrip("-").replace("-", "_")
        if snake in self.flags:
            return self.flags[snake]
        spelling = name if name in self.spellings else "--" + snake.replace("_", "-")
        found = self.spellings.get(spelling)
        return self.flags[found] if found is not None else None

    def nearest(self, name: str) -> str | None:
        """The name in this version that is most like ``name``, None when nothing comes close."""
        from difflib import get_close_matches

        snake = name.lstrip("-").replace("-", "_").lower()
        words = {
            s.lstrip("-").replace("-", "_"): found
            for s, found in self.spellings.items()
            if s.startswith("--")
        }
        replaced = self.replacement(snake)
        if replaced is not None:
            return replaced
        close = get_close_matches(snake, words, n=1, cutoff=0.75)
        if close:
            return words[close[0]]
        parts = set(snake.split("_"))
        best = max(
            words, key=lambda word: len(parts & set(word.split("_"))) / len(parts | set(word.split("_")))
        )
        shared = parts & set(best.split("_"))
        return words[best] if len(shared) >= 2 and len(shared) * 3 >= 2 * len(parts) else None

    def replacement(self, name: str) -> str | None:
        """For a name of other versions: the name in this one that the engine itself named as its successor."""
        snake = name.lstrip("-").replace("-", "_")
        for row_name, _, _, row in _file(self.engine, "flags")["rows"]:
            if row.get("deprecated") and (
                row_name == snake or "--" + snake.replace("_", "-") in row["spellings"]
            ):
                found = self.get(row["deprecated"])
                if found is not None and found.name != snake:
                    return found.name
        return None

    def history(self, name: str) -> tuple[Lifetime, ...]:
        """The stretches of releases in which a name or spelling exists, ascending; empty when in none."""
        snake = name.lstrip("-").replace("-", "_")
        words = {name, "--" + snake.replace("_", "-")}
        stretches: list[Lifetime] = []
        rows = [
            (since, until)
            for row_name, since, until, row in _file(self.engine, "flags")["rows"]
            if row_name == snake or words & {*row["spellings"], *row.get("negations", ())}
        ]
        index = _positions(self.engine)
        for since, until in sorted(rows, key=lambda row: index[row[0]]):
            if stretches and stretches[-1].until == since:
                since = stretches.pop().since
            if not stretches or stretches[-1] != Lifetime(since, until):
                stretches.append(Lifetime(since, until))
        return tuple(stretches)

    @cached_property
    def environment(self) -> frozenset[str]:
        """Names of the environment variables that this version reads."""
        index = _positions(self.engine)
        at = index[self.version]
        return frozenset(
            name
            for name, since, until, _ in _file(self.engine, "environment")["rows"]
            if index[since] <= at and (until is None or at < index[until])
        )

    def behind(self, name: str) -> tuple[Behind, ...]:
        """What the program refuses of a flag's value behind its parser, in this version."""
        index = _positions(self.engine)
        at = index[self.version]
        return tuple(
            Behind(
                tuple(row.split(".")[1:]),
                limits.get("kind"),
                tuple(limits.get("choices", ())),
                limits.get("any_case", False),
            )
            for row, since, until, limits, _ in _file(self.engine, "behind")["rows"]
            if row.partition(".")[0] == name and index[since] <= at and (until is None or at < index[until])
        )

    def parse(self, argv: Sequence[str]) -> ParsedArgv:
        """Read a command line as this version's own parser would; never raises for what the words say."""
        from servespec.engines.flag_argv import parse

        return parse(self, argv)

    def argv(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """The words that give these values, in the mapping's order. Raises KeyError for an unknown name."""
        from servespec.engines.flag_words import write

        return write(self, values)

    def check(self, name: str, value: object) -> Problem | None:
        """What is wrong with giving ``value`` to the flag ``name`` in this version, None when nothing is."""
        from servespec.engines.flag_values import check

        return check(self, name, value)


@cache
def _file(engine: str, kind: str) -> Mapping[str, Json]:
    path = Path(__file__).with_name(engine) / "flags" / f"{kind}.json"
    data: Mapping[str, Json] = json.loads(path.read_bytes())
    return data


@cache
def _positions(engine: str) -> Mapping[str, int]:
    return {release: at for at, release in enumerate(_file(engine, "flags")["releases"])}


@cache
def every_name(engine: str) -> frozenset[str]:
    """The names of the flags of all releases and of their long spellings, in snake case."""
    rows = _file(engine, "flags")["rows"]
    words = {
        word for name, _, _, row in rows for word in (name, *row["spellings"], *row.get("negations", ()))
    }
    return frozenset(word.lstrip("-").replace("-", "_") for word in words if not re.match(r"-[^-]", word))


def known_versions(engine: str) -> tuple[str, ...]:
    """The releases of the catalogue, ascending."""
    return tuple(_file(engine, "flags")["releases"])


def newest(engine: str) -> str:
    """The newest release of the catalogue."""
    return known_versions(engine)[-1]


def nearest_version(engine: str, asked: str) -> str:
    """The known release that stands for ``asked``: itself, else the last one before it, else the oldest.

    A pre-release or a development build is taken as the release that it leads to, where that is known: it has
    more of its flags than the one before. What is no version at all (``latest``, ``nightly``) is the newest.
    """
    releases = known_versions(engine)
    try:
        key = version_key(asked)
    except ValueError:
        return releases[-1]
    if key[-1] < 0 and any(version_key(release) == (*key[:-1], 0) for release in releases):
        key = (*key[:-1], 0)
    earlier = [release for release in releases if version_key(release) <= key]
    return earlier[-1] if earlier else releases[0]


@lru_cache(maxsize=256)
def load(engine: str, version: str) -> FlagCatalogue:
    """The catalogue of ``engine`` at ``version``, or at the nearest known one (see `nearest_version`)."""
    return FlagCatalogue(engine, version, nearest_version(engine, version))
