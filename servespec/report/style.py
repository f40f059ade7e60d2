"""Colour and hyperlinks, where there is a terminal that shows them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TextIO

_CODES = {
    "red": "31",
    "yellow": "33",
    "cyan": "36",
    "green": "32",
    "magenta": "35",
    "blue": "34",
    "bold": "1",
    "dim": "2",
}


@dataclass(frozen=True, slots=True)
class Style:
    """How text may be dressed; ``width`` is that of the terminal in columns."""

    colour: bool = False
    links: bool = False
    width: int = 80

    def paint(self, text: str, *names: str) -> str:
        """The text in colour, as it is where there is none."""
        if not self.colour:
            return text
        codes = ";".join(_CODES[name] for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def link(self, text: str, url: str) -> str:
        """The text as an OSC 8 hyperlink, as it is where the terminal has none."""
        return f"\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\" if self.links else text


PLAIN = Style()


def style_of(stream: TextIO) -> Style:
    """What a stream can show. NO_COLOR, FORCE_COLOR and TERM=dumb are heeded."""
    environment = os.environ
    is_terminal = stream.isatty() and environment.get("TERM") != "dumb"
    colour = (is_terminal or bool(environment.get("FORCE_COLOR"))) and not environment.get("NO_COLOR")
    width = 80
    if is_terminal:
        try:
            width = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            width = 80
    return Style(colour=colour, links=is_terminal and colour, width=max(width, 60))
