#!/usr/bin/env python3
"""Write docs/commands.md: every command with its arguments and options, read from the command line itself.

python scripts/commands.py           # write it
python scripts/commands.py --check   # exit with 1 where the committed page differs
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from servespec.cli._app import build

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
HEAD = """\
<!-- Written by scripts/commands.py; change the command, not this page. -->
# Commands

Each command prints the same with `--help`. Exit codes: 0 no error found; 1 at least one; 2 the command could not be
carried out (a message on standard error says why and what to change); 130 after Ctrl-C.
"""


def page() -> str:
    """The whole page."""
    group: Any = get_command(build())
    return HEAD + "".join(_section(name, group.commands[name]) for name in sorted(group.commands))


def _section(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    usage = " ".join(["servespec", name, *map(_argument, arguments)])
    rows = [(f"`{_name(each)}`", each.help) for each in arguments]
    rows += [(f"`{_spelling(each)}`", _told(each)) for each in options]
    lines = ["", f"## {name}", "", inspect.cleandoc(command.help), "", f"    {usage}", ""]
    lines += ["| | |", "|---|---|", *(f"| {left} | {_cell(right)} |" for left, right in rows)]
    return "\n".join(lines) + "\n"


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _argument(argument: Any) -> str:
    name = _name(argument) + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _spelling(option: Any) -> str:
    flags = ", ".join(sorted(option.opts, key=lambda flag: (flag.startswith("--"), flag)))
    return flags if option.is_flag else f"{flags} {option.metavar}"


def _told(option: Any) -> str:
    default = option.default
    plain = default is None or callable(default) or isinstance(default, bool | list | tuple)
    return option.help if plain else f"{option.help} Default: `{default}`."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def differences() -> Iterator[str]:
    """What is not fresh."""
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        yield f"{PAGE.name} is not what the commands say: run python scripts/commands.py"


def main() -> int:
    """Write or compare."""
    if "--check" in sys.argv[1:]:
        found = list(differences())
        print("\n".join(found), end="\n" if found else "")
        return int(bool(found))
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
