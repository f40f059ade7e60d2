"""ruamel's parser in pure Python, for interpreters without its C extension."""

from __future__ import annotations

from io import StringIO
from typing import Any


class PureParser:
    """The two methods of ruamel's C parser that the composer uses."""

    def __init__(self, text: str) -> None:
        """Take the whole text."""
        from ruamel.yaml import YAML

        self._parser: Any = YAML(typ="safe", pure=True).get_constructor_parser(StringIO(text))[1]

    def check_event(self) -> bool:
        """Whether another event follows."""
        return bool(self._parser.check_event())

    def get_event(self) -> Any:
        """The next event."""
        return self._parser.get_event()
