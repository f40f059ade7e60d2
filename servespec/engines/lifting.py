"""What lifting is for every engine: flags of a command line become keys of the spec, the rest stays under ``args``.

An engine declares a table of `Place`: which flag says which key, and for which values. A value that the key does not
take, and a flag that is in no table, is kept under ``targets.<engine>.args``. A word that still has a variable in it
is left out: only the machine where the command runs knows it (`has_reference`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from servespec.engines.flag_catalogue import FlagCatalogue, load
from servespec.spec.secrets import is_reference, is_secret

_REFERENCE = re.compile(
    r"\$[A-Za-z_({]|\$[\d@*#](?!\.?\d)|`|^<[A-Za-z][^<>]*>$|:\s*<[A-Za-z][\w -]*>\s*[,}\]]|^\{[a-z_]\w*\}$"
)
_KEPT = frozenset({"unknown-flag", "ambiguous-flag"})
"""Problems of words that are kept under ``args``, for ``check`` to speak of."""
UNKNOWN_MODEL = "unknown"
"""The id of a model that the command does not name."""


@dataclass(frozen=True, slots=True)
class Place:
    """One flag and the key that it says: ``holds`` tells for which values, ``into`` makes the key's value."""

    flag: str
    key: str
    holds: Callable[[Any], bool]
    into: Callable[[Any], Any] = lambda value: value


def positive(value: Any) -> bool:
    """A whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def fraction(value: Any) -> bool:
    """A share: more than 0, at most 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1


def text(value: Any) -> bool:
    """A word."""
    return isinstance(value, str) and value != ""


def switch(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


DTYPES = {
    "auto": "auto", "half": "float16", "float16": "float16", "bfloat16": "bfloat16", "float": "float32",
    "float32": "float32",
}  # fmt: skip
"""The engines' words for types, and the spec's."""


def has_reference(value: object) -> bool:
    """Whether a value still has a variable, a command substitution or a placeholder (``<model>``) in it."""
    if isinstance(value, str):
        return _REFERENCE.search(value) is not None
    if isinstance(value, Mapping):
        return any(has_reference(item) for item in value.values())
    return isinstance(value, list | tuple) and any(has_reference(item) for item in value)


class Lifting:
    """A spec in the making: what the words said, by flag name, and the keys that were taken from it."""

    def __init__(
        self, engine: str, argv: Sequence[str], environment: Mapping[str, str], version: str
    ) -> None:
        """Read the words as that version's parser does."""
        self.engine, self.version = engine, version
        self.catalogue: FlagCatalogue = load(engine, version)
        self.environment = dict(environment)
        parsed = self.catalogue.parse(argv)
        self.values: dict[str, Any] = dict(parsed.values)
        self.places = dict(parsed.places)
        self.spec: dict[str, Any] = {}
        self.unknown = dict(_unknown(argv, [p.index for p in parsed.problems if p.code in _KEPT]))

    def take(self, flag: str) -> Any:
        """The value of a flag, which is then used up; None when it was not given."""
        found = self.catalogue.get(flag)
        return self.values.pop(found.name, None) if found is not None else None

    def peek(self, flag: str) -> Any:
        """The value of a flag, left where it is."""
        found = self.catalogue.get(flag)
        return self.values.get(found.name) if found is not None else None

    def set(self, key: str, value: Any) -> None:
        """Give a key of the spec, by its dotted path."""
        *sections, last = key.split(".")
        node = self.spec
        for section in sections:
            node = node.setdefault(section, {})
        node[last] = value

    def carry(self, places: Iterable[Place]) -> None:
        """Move the values of a table to their keys."""
        for place in places:
            value = self.peek(place.flag)
            if value is None or has_reference(value) or not place.holds(value):
                continue
            self.take(place.flag)
            self.set(place.key, place.into(value))

    def carry_key(self, variable: str) -> None:
        """An API key is never written: the spec names the variable that holds it."""
        key = self.take("api_key")
        if key is None:
            return
        word = key[0] if isinstance(key, list) and key else str(key)
        reference = re.fullmatch(r"\$\{?(\w+)\}?|\$\((\w+)\)", word)
        self.set("server.api_key_env", (reference[1] or reference[2]) if reference else variable)

    def finish(self) -> dict[str, Any]:
        """The spec with what is left over under ``args``, and the environment."""
        target: dict[str, Any] = {"version": self.version}
        args = {
            name: self._shown(name, value)
            for name, value in sorted(self.values.items(), key=lambda item: self.places.get(item[0], 0))
            if not has_reference(value)
        }
        args |= {
            name: self._shown(name, value) for name, value in self.unknown.items() if not has_reference(value)
        }
        if args:
            target["args"] = args
        environment = dict(_environment(self.environment))
        if environment:
            self.spec["env"] = environment
        self.spec["targets"] = {self.engine: target}
        return self.spec

    def _shown(self, name: str, value: Any) -> Any:
        """The name's value; a secret becomes the reference to a variable."""
        if isinstance(value, list):
            return [self._shown(name, item) for item in value]
        return _reference(name) if isinstance(value, str) and is_secret(name, value) else value


def _reference(name: str) -> str:
    return f"${{{re.sub(r'[^A-Z0-9_]', '_', name.upper())}}}"


def _unknown(argv: Sequence[str], places: Sequence[int]) -> Iterable[tuple[str, Any]]:
    """Flags that the version does not have, with the words behind them: kept, for ``check`` to speak of."""
    for place in places:
        head, separator, value = argv[place].partition("=")
        if not head.strip("-"):
            continue
        following = []
        for word in argv[place + 1 :]:
            if word.startswith("-") and not re.fullmatch(r"-\d.*", word):
                break
            following.append(word)
        if separator:
            yield head.lstrip("-").replace("-", "_"), value
        elif " " in head:
            name, _, rest = head.partition(" ")
            yield name.lstrip("-").replace("-", "_"), rest
        elif not following:
            yield head.lstrip("-").replace("-", "_"), True
        else:
            yield head.lstrip("-").replace("-", "_"), following[0] if len(following) == 1 else following


def _environment(variables: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, value in variables.items():
        if is_secret(name, value):
            yield name, f"${{{name}}}"
        elif is_reference(value):
            yield name, "${" + value.strip("${}").partition(":")[0].partition("-")[0] + "}"
        elif not has_reference(value):
            yield name, value
