"""Command lines, read as the engine's own parser reads them: by argparse's rules or clap's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from servespec.engines.flag_values import BadValue, Problem, convert, deprecated, parse_size, unknown
from servespec.engines.flag_words import NEGATIVE

if TYPE_CHECKING:
    from servespec.engines.flag_catalogue import Flag, FlagCatalogue

_NUMBER = re.compile(r"[\d.]+")
_MOST_CANDIDATES = 8
"""Policy: of flags that an ambiguous word could be, those that a message lists."""


@dataclass(frozen=True, slots=True)
class ParsedArgv:
    """A command line as the engine understands it.

    ``values`` by the flag's name, ``positionals`` in order, ``problems`` in the order of the words, ``places`` the
    index of the word that gave a value (the last one, where it is given twice).
    """

    values: Mapping[str, Any]
    positionals: tuple[str, ...]
    problems: tuple[Problem, ...]
    places: Mapping[str, int]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems over which the engine refuses to start."""
        return tuple(problem for problem in self.problems if problem.is_error)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    index: int


class _Reader:
    """One pass over the words; collects values and problems."""

    def __init__(self, catalogue: FlagCatalogue) -> None:
        self.catalogue = catalogue
        self.values: dict[str, Any] = {}
        self.places: dict[str, int] = {}
        self.positionals: list[_Word] = []
        self.problems: list[Problem] = []
        self.dotted: dict[str, dict[str, Any]] = {}  # by spelling: the JSON that --flag.key words make
        self.dotted_places: dict[str, int] = {}
        self.orphans: set[int] = set()  # words behind a flag that is not known: most likely its values

    def problem(
        self, code: str, message: str, index: int, flag: str | None = None, hint: str | None = None
    ) -> None:
        self.problems.append(Problem(code, message, index, flag, hint))

    def read(self, words: list[_Word]) -> None:
        at = 0
        while at < len(words):
            word = words[at]
            if word.text == "--":
                self.positionals += words[at + 1 :]
                return
            found = self.option(word)
            if found is None:
                self.positionals.append(word)
                at += 1
                continue
            flag, spelling, explicit = found
            at += 1
            if flag is None:
                self.orphan_values(words, at)
                continue
            taken = [] if explicit is not None else self.values_after(words, at, flag)
            at += len(taken)
            self.store(
                flag,
                spelling,
                word.index,
                [explicit] if explicit is not None else [w.text for w in taken],
                explicit,
            )

    def orphan_values(self, words: list[_Word], at: int) -> None:
        for word in words[at:]:
            if self._is_option(word.text):
                break
            self.orphans.add(word.index)

    def option(self, word: _Word) -> tuple[Flag | None, str, str | None] | None:
        """The flag that a word names, its spelling and the value behind '='; None for a word that is no flag."""
        text, spellings = word.text, self.catalogue.spellings
        if not text.startswith("-") or text == "-":
            return None
        if text in spellings:
            return self.catalogue.flags[spellings[text]], text, None
        if NEGATIVE.fullmatch(text):
            return None
        head, separator, value = text.partition("=")
        explicit = value if separator else None
        if separator and head in spellings:
            return self.catalogue.flags[spellings[head]], head, explicit
        if not self.catalogue.syntax.clap:
            candidates = self.abbreviated(text, head)
            if len(candidates) == 1:
                return self._expanded(word, candidates[0], explicit)
            if candidates:
                listed = ", ".join(sorted(candidates)[:_MOST_CANDIDATES])
                listed += f" and {more:,} more" if (more := len(candidates) - _MOST_CANDIDATES) > 0 else ""
                self.problem(
                    "ambiguous-flag", f"{head} could be {listed}", word.index, head, min(candidates, key=len)
                )
                return None, head, None
        elif len(head) > 2 and not text.startswith("--") and text[:2] in spellings:
            return self.catalogue.flags[spellings[text[:2]]], text[:2], text[2:].removeprefix("=")
        if " " in text:
            return self._joined(word)
        self.problems.append(self.unknown(head, word.index))
        return None, head, None

    def abbreviated(self, text: str, head: str) -> list[str]:
        """argparse's reading of a word that is no spelling: long flags by a prefix, short ones with their value."""
        spellings = self.catalogue.spellings
        if text.startswith("--"):
            return [spelling for spelling in spellings if spelling.startswith(head)]
        short = [text[:2]] if text[:2] in spellings else []
        return short + [spelling for spelling in spellings if spelling.startswith(text)]

    def _expanded(self, word: _Word, spelling: str, explicit: str | None) -> tuple[Flag, str, str | None]:
        flag = self.catalogue.flags[self.catalogue.spellings[spelling]]
        if not word.text.startswith("--") and spelling == word.text[:2]:
            return flag, spelling, word.text[2:]
        head = word.text.partition("=")[0]
        message = f"{head} is read as {spelling}; another release may find it ambiguous"
        self.problem("abbreviated-flag", message, word.index, flag.name, spelling)
        return flag, spelling, explicit

    def _joined(self, word: _Word) -> tuple[Flag | None, str, str | None] | None:
        """A flag and its value in one word, as a list item ``--dtype auto`` of a manifest is."""
        head, _, value = word.text.partition(" ")
        if head not in self.catalogue.spellings and self.catalogue.get(head) is None:
            return None
        message = f"{word.text!r} is one word with a blank: the engine does not split it"
        self.problem("unknown-flag", message, word.index, head, f"{head}={value.strip()}")
        return None, head, None

    def unknown(self, head: str, index: int) -> Problem:
        problem = unknown(self.catalogue, head, index)
        if not self.catalogue.syntax.underscores and "_" in head:
            known = "--" + head.lstrip("-").replace("_", "-")
            if known in self.catalogue.spellings:
                message = f"{self.catalogue.engine} takes no underscores in flags: {head} is {known}"
                return Problem("unknown-flag", message, index, head, known)
        if head.startswith("-") and not head.startswith("--") and "-" + head in self.catalogue.spellings:
            return Problem("unknown-flag", f"{head} has one dash, the flag has two", index, head, "-" + head)
        return problem

    def values_after(self, words: list[_Word], at: int, flag: Flag) -> list[_Word]:
        """The words that follow a flag and belong to it, as many as its nargs may take."""
        if not flag.takes_value:
            return []
        limit: float = {"?": 1, "+": float("inf"), "*": float("inf")}.get(str(flag.nargs), 1)
        if isinstance(flag.nargs, int):
            limit = flag.nargs
        if flag.action == "boolish":
            limit = 1
        taken: list[_Word] = []
        while at + len(taken) < len(words) and len(taken) < limit:
            word = words[at + len(taken)]
            if word.text == "--" or self._is_option(word.text):
                break
            taken.append(word)
        return taken

    def _is_option(self, text: str) -> bool:
        if not text.startswith("-") or text == "-" or NEGATIVE.fullmatch(text):
            return False
        head = text.partition("=")[0]
        if text in self.catalogue.spellings or head in self.catalogue.spellings:
            return True
        return " " not in text or bool(self.abbreviated(text, head)) or self.catalogue.syntax.clap

    def store(
        self, flag: Flag, spelling: str, index: int, words: Sequence[str], explicit: str | None
    ) -> None:
        warning = deprecated(self.catalogue, flag, index)
        if warning is not None:
            self.problems.append(warning)
        if flag.action not in ("store", "append", "boolish"):
            if explicit is not None:
                message = f"{spelling} takes no value, {explicit!r} is given"
                self.problem("unexpected-value", message, index, flag.name, spelling)
            self._keep(flag, index, spelling not in flag.negations if flag.action == "switch" else True)
            return
        if self.catalogue.syntax.clap and flag.name in self.values and flag.action == "store":
            self.problem("repeated-flag", f"{spelling} is given more than once", index, flag.name)
        if not words:
            self._store_nothing(flag, spelling, index)
            return
        if isinstance(flag.nargs, int) and len(words) != flag.nargs:
            self.problem("missing-value", f"{spelling} takes {flag.nargs} values", index, flag.name)
        try:
            values = [convert(flag, part) for word in words for part in self._parts(flag, word)]
        except BadValue as bad:
            self.problem(bad.code, f"{spelling}: {bad}", index, flag.name, bad.suggestion)
            self._keep(flag, index, words[0] if flag.nargs is None else list(words))
            return
        is_list = flag.nargs in ("+", "*") or isinstance(flag.nargs, int)
        if flag.action == "append":
            self._keep(flag, index, [*self.values.get(flag.name, []), *values])
        else:
            self._keep(flag, index, values if is_list else values[0])

    def _parts(self, flag: Flag, word: str) -> list[str]:
        return word.split(flag.delimiter) if flag.delimiter else [word]

    def _store_nothing(self, flag: Flag, spelling: str, index: int) -> None:
        if flag.action == "boolish":
            self._keep(flag, index, True)
        elif flag.nargs == "?":
            self._keep(flag, index, flag.const)
        elif flag.nargs == "*":
            self._keep(flag, index, [])
        else:
            self.problem("missing-value", f"{spelling} needs a value", index, flag.name)

    def _keep(self, flag: Flag, index: int, value: Any) -> None:
        self.values[flag.name] = value
        self.places[flag.name] = index


def parse(catalogue: FlagCatalogue, argv: Sequence[str]) -> ParsedArgv:
    """See `FlagCatalogue.parse`."""
    reader = _Reader(catalogue)
    words = [_Word(text, index) for index, text in enumerate(argv)]
    if not catalogue.syntax.clap:
        words = _prepared(reader, words)
    reader.read(words)
    for spelling, keys in reader.dotted.items():
        index = reader.dotted_places[spelling]
        found = reader.option(_Word(spelling, index))
        if found is not None and found[0] is not None:
            reader.store(found[0], spelling, index, [json.dumps(keys)], None)
    _place_positionals(reader)
    problems = sorted(reader.problems, key=lambda problem: problem.index)
    positionals = tuple(word.text for word in reader.positionals)
    return ParsedArgv(reader.values, positionals, tuple(problems), reader.places)


def _prepared(reader: _Reader, words: Iterable[_Word]) -> list[_Word]:
    """What vLLM's FlexibleArgumentParser does to the words before argparse sees them (utils/argparse_utils.py)."""
    syntax, prepared = reader.catalogue.syntax, list[_Word]()
    waiting: str | None = None
    for word in words:
        text = word.text
        if waiting is not None:
            _set_dotted(reader, waiting, text, word.index)
            waiting = None
            continue
        if syntax.underscores and text.startswith("--"):
            head, separator, value = text.partition("=")
            name, dot, keys = head.partition(".")
            text = name.replace("_", "-") + dot + keys + separator + value
        if syntax.level and text.startswith("-O"):
            level = text[2:].removeprefix("=")
            if "." not in syntax.level:
                prepared += [_Word(syntax.level, word.index), *([_Word(level, word.index)] if level else [])]
                continue
            if level and not level.startswith("."):
                text = f"{syntax.level}={level}"
        head, separator, value = text.partition("=")
        if syntax.dotted and text.startswith("-") and "." in head and not NEGATIVE.fullmatch(text):
            if separator:
                _set_dotted(reader, head, value, word.index)
            else:
                waiting = head
            continue
        prepared.append(_Word(text, word.index))
    if waiting is not None:
        reader.problem("missing-value", f"{waiting} needs a value", len(prepared), waiting)
    return prepared


def _set_dotted(reader: _Reader, head: str, word: str, index: int) -> None:
    value: Any
    if head.endswith("+") and reader.catalogue.syntax.dotted_lists:
        head, value = head[:-1], word.split(",")
    else:
        try:
            value = json.loads(word)
        except ValueError:
            try:
                value = parse_size(word)
            except ValueError:
                value = word
    spelling, *keys = head.split(".")
    reader.dotted_places.setdefault(spelling, index)
    level = reader.dotted.setdefault(spelling, {})
    for key in keys[:-1]:
        inner = level.setdefault(key, {})
        if not isinstance(inner, dict):
            inner = level[key] = {}
        level = inner
    held = level.get(keys[-1])
    level[keys[-1]] = [*held, *value] if isinstance(held, list) and isinstance(value, list) else value


def _place_positionals(reader: _Reader) -> None:
    places = [flag for flag in reader.catalogue.flags.values() if flag.is_positional]
    # A number behind a flag that is not known is most likely its value, and no model.
    values = [w for w in reader.positionals if w.index in reader.orphans and _NUMBER.fullmatch(w.text)]
    reader.positionals = [word for word in reader.positionals if word not in values]
    for flag, word in zip(places, reader.positionals, strict=False):
        reader.values[flag.name], reader.places[flag.name] = word.text, word.index
    if "model" in reader.values and "model_tag" in reader.values:
        # vLLM puts the flag's model in the place of the word (FlexibleArgumentParser.parse_args), which is then left over.
        tag, index = reader.values["model_tag"], reader.places["model_tag"]
        reader.problem("extra-argument", f"{tag!r} is a model, and --model is given too", index, "model_tag")
    for word in reader.positionals[len(places) :]:
        if word.index in reader.orphans:
            continue
        reader.problem("extra-argument", f"{word.text!r} belongs to no flag", word.index)
    del reader.positionals[len(places) :]
