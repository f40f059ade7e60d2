"""The options of ``check`` as data: read here without Typer, and by Typer for help and completion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple


class Option(NamedTuple):
    """One option. ``name`` is the keyword that the command takes it by.

    A ``switch`` is true or false, a ``value`` text or None (or ``default``), a ``list`` a tuple:
    the option may be repeated, and its values separated by commas.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    kind: Literal["switch", "value", "list"] = "switch"
    default: str | None = None
    metavar: str | None = None
    choices: Callable[[], tuple[str, ...]] | None = None


class Argument(NamedTuple):
    """The positional arguments, one or more."""

    name: str
    metavar: str
    help: str


def parse(words: Sequence[str], argument: Argument, options: Sequence[Option]) -> dict[str, Any] | None:
    """Keyword arguments, or None for anything but a plain call: Typer then says what is wrong, or helps."""
    by_flag = {flag: option for option in options for flag in option.flags}
    values: dict[str, Any] = {option.name: _empty(option) for option in options}
    positional: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            positional += rest
            break
        if word == "-" or not word.startswith("-"):
            positional.append(word)
            continue
        flag, separator, value = word.partition("=")
        option = by_flag.get(flag)
        if option is None or (separator and option.kind == "switch"):
            return None
        if option.kind == "switch":
            values[option.name] = True
            continue
        if not separator:
            following = next(rest, None)
            if following is None:
                return None
            value = following
        if option.choices is not None and value not in option.choices():
            return None
        values[option.name] = value if option.kind == "value" else (*values[option.name], *split(value))
    if not positional:
        return None
    values[argument.name] = tuple(positional)
    return values


def split(value: str) -> tuple[str, ...]:
    """Values separated by commas."""
    return tuple(part for part in (part.strip() for part in value.split(",")) if part)


def _empty(option: Option) -> Any:
    return {"switch": False, "value": option.default, "list": ()}[option.kind]


def typer_command(
    call: Callable[..., int], argument: Argument, options: Sequence[Option]
) -> Callable[..., int]:
    """The same command with the signature that Typer reads."""
    import inspect
    from typing import Annotated

    import typer

    from servespec.cli._parameters import one_of

    kinds: dict[str, Any] = {"switch": bool, "value": str | None, "list": list[str] | None}
    parameters = [
        inspect.Parameter(
            argument.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[
                list[str], typer.Argument(metavar=argument.metavar, help=argument.help, show_default=False)
            ],
        )
    ]
    for option in options:
        info = typer.Option(
            *option.flags,
            help=option.help,
            metavar=option.metavar,
            callback=one_of(option.choices) if option.choices else None,
            autocompletion=_names_of(option),
            show_default=option.kind == "value" and option.default is not None,
        )
        parameters.append(
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[kinds[option.kind], info],
                default=False if option.kind == "switch" else option.default,
            )
        )

    def command(**values: Any) -> int:
        for option in options:
            if option.kind == "list":
                values[option.name] = tuple(
                    part for value in values[option.name] or () for part in split(value)
                )
        values[argument.name] = tuple(values[argument.name])
        return call(**values)

    command.__doc__ = call.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _names_of(option: Option) -> Callable[[], list[str]] | None:
    choices = option.choices
    return None if choices is None else lambda: list(choices())
