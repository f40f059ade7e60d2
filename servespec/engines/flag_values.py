"""What a flag takes: words into values as the engine's converter does it, and what is wrong with a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servespec.engines.flag_catalogue import Behind, Flag, FlagCatalogue

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kKmMgGtT])")
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}
_MOST_LISTED = 20
"""Policy: of the values or keys that a flag takes, those that a message lists."""
_BARE_SIZE = re.compile(r"\b\d+(?:\.\d+)?[kKmMgGtT]\b")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a word of a command line or a value of ``args``.

    ``code``: unknown-flag, ambiguous-flag, missing-value, unexpected-value, bad-value, bad-choice, bad-json, unknown-key,
    out-of-range, extra-argument, repeated-flag, refused-flag; and, the engine starting all the same, deprecated-flag,
    abbreviated-flag. ``index`` is the word's place in the command line (-1: none); ``suggestion`` what to write.
    """

    code: str
    message: str
    index: int = -1
    flag: str | None = None
    suggestion: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether the engine refuses to start over it."""
        return self.code not in ("deprecated-flag", "abbreviated-flag")


class BadValue(ValueError):
    """A word that the flag's converter refuses; ``code`` as in `Problem`."""

    def __init__(self, code: str, message: str, suggestion: str | None = None) -> None:
        """Keep the code and what to write instead."""
        super().__init__(message)
        self.code, self.suggestion = code, suggestion


def parse_size(word: str) -> int:
    """``1k`` is 1,000 and ``1K`` 1,024, as vLLM's human_readable_int has it. Raises ValueError."""
    match = _SIZE.fullmatch(word.strip())
    if match is None:
        return int(word)
    number, suffix = match.groups()
    power = _POWERS[suffix.lower()]
    return int(float(number) * 1000**power) if suffix.islower() else int(number) * 1024**power


def convert(flag: Flag, word: str) -> Any:
    """The value that the engine makes of one word. Raises `BadValue`."""
    if flag.optional and word in ("", "None"):
        return None
    value = _converted(flag, word)
    if flag.choices is not None and value not in flag.choices:
        raise BadValue("bad-choice", *_choice_message(flag, value))
    _check_bounds(flag, value)
    return value


def _converted(flag: Flag, word: str) -> Any:
    kind = flag.kind
    try:
        if kind in ("int", "port"):
            return int(word)
        if kind == "float":
            return float(word)
        if kind == "size":
            return parse_size(word)
        if kind == "size_or_auto":
            return -1 if word.strip().lower() in ("-1", "auto") else parse_size(word)
    except ValueError:
        expected = {"float": "a number", "size": "a whole number, as 8192 or 8k"}.get(kind, "a whole number")
        raise BadValue("bad-value", f"{word!r} is not {expected}") from None
    if kind == "json_or_kvs" and not re.fullmatch(r"(?s){.*}", word):
        return _key_counts(word)
    if kind in ("json", "json_or_kvs") or (kind == "json_or_str" and re.fullmatch(r"(?s)\s*{.*}\s*", word)):
        return _json(flag, word)
    if kind == "kvs":
        return _key_counts(word)
    if kind == "named_path" and not ("=" in word and "," not in word):
        return word if isinstance(_json(flag, word), Mapping) else _json(flag, "")
    if kind == "boolish":
        if word.lower() not in ("true", "false"):
            raise BadValue("bad-value", f"{word!r} is not true or false")
        return word.lower() == "true"
    return word


def _json(flag: Flag, word: str) -> Any:
    try:
        value = json.loads(word)
    except ValueError:
        try:
            value = json.loads(_expand_sizes(word)) if flag.keys else _refuse_json(word)
        except ValueError:
            raise BadValue("bad-json", f"{word!r} is not JSON", _json_hint(word)) from None
    if isinstance(value, Mapping) and flag.keys and flag.closed:
        for key in value:
            if key not in flag.keys:
                from difflib import get_close_matches

                near = next(iter(get_close_matches(key, flag.keys, 1)), None)
                hint = f"; did you mean {near!r}?" if near else f"; it takes {_listed(sorted(flag.keys))}"
                raise BadValue("unknown-key", f"{key!r} is no key of this JSON value{hint}", near)
    return value


def _refuse_json(word: str) -> Any:
    raise ValueError(word)


def _expand_sizes(word: str) -> str:
    parts = re.split(r'("(?:[^"\\]|\\.)*")', word)
    return "".join(
        part if at % 2 else _BARE_SIZE.sub(lambda match: str(parse_size(match.group())), part)
        for at, part in enumerate(parts)
    )


def _json_hint(word: str) -> str | None:
    """The JSON that the old ``image=4,video=1`` form means."""
    try:
        return json.dumps(_key_counts(word))
    except BadValue:
        return None


def _key_counts(word: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in word.split(","):
        key, separator, count = item.strip().partition("=")
        if not separator or not count.strip().isdigit():
            raise BadValue("bad-value", f"{word!r} is not of the form image=4,video=1")
        found[key.strip().lower()] = int(count)
    return found


def _choice_message(flag: Flag, value: object) -> tuple[str, str | None]:
    from difflib import get_close_matches

    choices = [str(choice) for choice in flag.choices or ()]
    near = next(iter(get_close_matches(str(value), choices, 1, 0.6)), None)
    return f"{value!r} is not one of {_listed(choices)}", near


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:_MOST_LISTED]) + (", …" if len(words) > _MOST_LISTED else "")


_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "ge": ("at least", ge),
    "gt": ("more than", gt),
    "le": ("at most", le),
    "lt": ("less than", lt),
}


def _check_bounds(flag: Flag, value: object) -> None:
    if flag.bounds is None or isinstance(value, bool) or not isinstance(value, int | float):
        return
    for key, (words, is_held) in _BOUNDS.items():
        if key in flag.bounds and not is_held(value, flag.bounds[key]):
            raise BadValue("out-of-range", f"{value} is not {words} {flag.bounds[key]:g}")


def unknown(catalogue: FlagCatalogue, name: str, index: int = -1) -> Problem:
    """The problem of a flag that this version does not have, with its history and what to give instead."""
    from servespec.engines.flag_successors import successor

    shown = name if name.startswith("-") else "--" + name.replace("_", "-")
    lifetimes = catalogue.history(name)
    earlier = [stretch for stretch in lifetimes if not _is_before(catalogue, stretch.since)]
    story, hint, suggestion = "", "", None
    if earlier:
        later = [stretch for stretch in lifetimes if stretch not in earlier]
        back = f" and is there again since {later[0].since}" if later else ""
        story = f": it was removed in {earlier[-1].until}{back}"
    elif lifetimes:
        story = f": it came in {lifetimes[0].since}"
    instead = successor(catalogue, name) if lifetimes else None
    if instead is not None:
        hint = f"; {instead.words}"
        if list(instead.give.values()) == ["$value"]:
            suggestion = _word(catalogue, next(iter(instead.give)))
    elif earlier:
        hint = "; nothing is known to take its place: leave it out"
    elif not lifetimes:
        suggestion = _similar(catalogue, shown)
        hint = f"; did you mean {suggestion}?" if suggestion else _owner(catalogue, shown)
    message = f"{catalogue.engine} {catalogue.version} has no flag {shown}{story}{hint}"
    return Problem("unknown-flag", message, index, name, suggestion)


def _similar(catalogue: FlagCatalogue, shown: str) -> str | None:
    short = "-" + shown.lstrip("-")
    if short in catalogue.spellings:
        return _word(catalogue, catalogue.spellings[short])
    near = catalogue.nearest(shown)
    return _word(catalogue, near) if near is not None else None


def _owner(catalogue: FlagCatalogue, shown: str) -> str:
    """Says so where the flag is another engine's."""
    from servespec.engines import engine_names
    from servespec.engines.flag_catalogue import load, newest

    owners = [
        engine
        for engine in engine_names()
        if engine != catalogue.engine and load(engine, newest(engine)).history(shown)
    ]
    return f"; it is a flag of {' and '.join(owners)}" if owners else ""


def _word(catalogue: FlagCatalogue, name: str) -> str | None:
    flag = catalogue.get(name)
    if flag is None:
        return None
    from servespec.engines.flag_words import canonical

    return canonical(catalogue, flag)


def _is_before(catalogue: FlagCatalogue, release: str) -> bool:
    from servespec.rules.versions import version_key

    return version_key(catalogue.version) < version_key(release)


def deprecated(catalogue: FlagCatalogue, flag: Flag, index: int = -1) -> Problem | None:
    """The warning for a deprecated flag, the refusal of a retired one, None for one in good standing."""
    if flag.deprecated is None:
        return None
    from servespec.engines.flag_successors import successor

    spelling, suggestion = flag.spellings[0], flag.deprecated or None
    instead = successor(catalogue, flag.name)
    hint = f": use {flag.deprecated}" if flag.deprecated else f": {instead.words}" if instead else ""
    if suggestion is None and instead is not None and list(instead.give.values()) == ["$value"]:
        suggestion = _word(catalogue, next(iter(instead.give)))
    if flag.action == "refused":
        message = f"{spelling} is retired and stops the engine{hint}"
        return Problem("refused-flag", message, index, flag.name, suggestion)
    return Problem("deprecated-flag", f"{spelling} is deprecated{hint}", index, flag.name, suggestion)


def check(catalogue: FlagCatalogue, name: str, value: object) -> Problem | None:
    """See `FlagCatalogue.check`."""
    head, dot, keys = name.partition(".")
    if dot and (whole := catalogue.get(head)) is not None and whole.kind.startswith("json"):
        name, value = head, nested(keys, value)
    flag = catalogue.get(name)
    if flag is None:
        return unknown(catalogue, name)
    if value is None:
        return deprecated(catalogue, flag)
    try:
        _check_value(flag, value)
        for behind in catalogue.behind(flag.name):
            _check_behind(flag, behind, value)
    except BadValue as bad:
        return Problem(bad.code, f"{name}: {bad}", -1, flag.name, bad.suggestion)
    return deprecated(catalogue, flag)


def _check_behind(flag: Flag, behind: Behind, value: object) -> None:
    """Raises `BadValue` for what the parser takes and the program refuses when it starts."""
    if behind.kind == "json" and isinstance(value, str):
        _json(flag, value)
    if behind.keys and isinstance(value, str):
        value = json.loads(value)
    for key in behind.keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if not behind.choices or not isinstance(value, str):
        return
    if (value.upper() if behind.any_case else value) not in {
        choice.upper() if behind.any_case else choice for choice in behind.choices
    }:
        message, near = _choice_message(replace(flag, choices=behind.choices), value)
        # What to write in the place of one key of a mapping is no value for the flag.
        raise BadValue(
            "bad-choice",
            f"{'.'.join(behind.keys)}: {message}" if behind.keys else message,
            None if behind.keys else near,
        )


def _check_value(flag: Flag, value: object) -> None:
    if flag.kind in ("bool", "boolish"):
        if not isinstance(value, bool) and str(value).lower() not in ("true", "false"):
            raise BadValue("bad-value", f"{value!r} is not true or false")
        return
    if isinstance(value, list | tuple):
        if flag.kind in ("json", "json_or_str") and flag.nargs is None:
            convert(flag, json.dumps(list(value)))
            return
        if flag.nargs is None and flag.action != "append":
            raise BadValue("bad-value", f"one value is expected, not a list of {len(value)}")
        if isinstance(flag.nargs, int) and len(value) != flag.nargs:
            raise BadValue("bad-value", f"{flag.nargs} values are expected, not {len(value)}")
        for item in value:
            convert(flag, word_of(flag, item))
        return
    if isinstance(value, bool) and flag.choices != ("true", "false"):
        if flag.const is True and flag.nargs == "?":
            return
        expected = {"int": "a whole number", "float": "a number", "json": "JSON"}.get(flag.kind, "a word")
        raise BadValue("bad-value", f"{str(value).lower()} is given, {expected} is expected")
    if isinstance(value, Mapping) and flag.kind not in ("json", "json_or_str", "json_or_kvs", "kvs"):
        raise BadValue("bad-value", "a mapping is given, a single value is expected")
    word = word_of(flag, value)
    for part in word.split(flag.delimiter) if flag.delimiter and isinstance(value, str) else [word]:
        convert(flag, part)


def nested(keys: str, value: object) -> object:
    """``a.b`` and 1 as ``{"a": {"b": 1}}``: what the dotted form of a JSON flag means."""
    for key in reversed(keys.split(".")):
        value = {key: value}
    return value


def word_of(flag: Flag, value: object) -> str:
    """The word on the command line that means ``value``."""
    if isinstance(value, Mapping) and flag.kind == "kvs":
        return ",".join(f"{key}={count}" for key, count in value.items())
    if isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and flag.kind in ("json", "json_or_str")
    ):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if flag.kind == "json" and not isinstance(value, str):
        return json.dumps(value)
    return str(value)
