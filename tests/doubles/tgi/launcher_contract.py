"""TGI's launcher as its own reference describes it: every flag, its variable, default and choices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_HEAD = re.compile(r"^\s+(?:-(?P<short>\w), )?--(?P<long>[\w-]+)(?: <\w+>)?$")
_CHOICE = re.compile(r"^\s+- ([\w-]+):")


class Refused(Exception):
    """What the launcher says before it ends with exit code 2."""


@dataclass(frozen=True)
class Option:
    """One flag of the launcher. A switch takes no value."""

    name: str
    short: str | None
    variable: str | None
    default: str | None
    choices: tuple[str, ...]
    is_switch: bool


def read_options(reference: Path) -> tuple[Option, ...]:
    """All options of ``launcher.md``, in its order."""
    blocks = re.findall(r"```shell\n(\s+(?:-\w, )?--.*?)```", reference.read_text(), flags=re.DOTALL)
    return tuple(_option(block) for block in blocks)


def _option(block: str) -> Option:
    first = block.split("\n", 1)[0]
    head = _HEAD.match(first)
    assert head is not None, first
    listed = re.search(r"\[possible values: ([^\]]+)\]", block)
    described = [match[1] for line in block.splitlines() if (match := _CHOICE.match(line))]
    choices = listed[1].split(", ") if listed else described if "Possible values:" in block else []
    variable = re.search(r"\[env: (\w+)=\]", block)
    default = re.search(r"\[default: ([^\]]*)\]", block)
    return Option(
        name=head["long"],
        short=head["short"],
        variable=variable[1] if variable else None,
        default=default[1] if default else None,
        choices=tuple(choices),
        is_switch="<" not in first,
    )


def parse(options: Sequence[Option], words: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The value of every option that is set: by flag, else by variable, else by default.

    Raises:
        Refused: an unknown flag, a value that is no choice, or a flag without its value.
    """
    by_flag = {f"--{option.name}": option for option in options}
    by_flag |= {f"-{option.short}": option for option in options if option.short}
    values = {option.name: option.default for option in options if option.default is not None}
    for option in options:
        if option.variable and option.variable in environment:
            values[option.name] = _checked(option, environment[option.variable])
    left = list(words)
    while left:
        flag, separator, value = left.pop(0).partition("=")
        option = by_flag.get(flag)
        if option is None:
            raise Refused(f"error: unexpected argument '{flag}' found")
        if option.is_switch:
            values[option.name] = "true"
            continue
        if not separator:
            if not left:
                raise Refused(
                    f"error: a value is required for '{flag} <{_value_name(option)}>' but none was supplied"
                )
            value = left.pop(0)
        values[option.name] = _checked(option, value)
    return values


def _checked(option: Option, value: str) -> str:
    if option.is_switch and value not in ("true", "false"):
        raise Refused(
            f"error: invalid value '{value}' for '--{option.name}'\n  [possible values: true, false]"
        )
    if option.choices and value not in option.choices:
        raise Refused(
            f"error: invalid value '{value}' for '--{option.name} <{_value_name(option)}>'\n"
            f"  [possible values: {', '.join(option.choices)}]"
        )
    return value


def _value_name(option: Option) -> str:
    return option.name.replace("-", "_").upper()
