"""ruamel's parser in pure Python, for interpreters without its C extension."""

from __future__ import annotations

from io import StringIO
from typing import Any


class PureParser:
    """The method of ruamel's C parser that the composer uses."""

    def __init__(self, text: str) -> None:
        """Take the whole text."""
        from ruamel.yaml import YAML

        self._parser: Any = YAML(typ="safe", pure=True).get_constructor_parser(StringIO(text))[1]

    def get_event(self) -> Any:
        """The next event, None after the last. Raises YAMLError."""
        from ruamel.yaml.error import YAMLError

        try:
            return self._parser.get_event() if self._parser.check_event() else None
        except YAMLError:
            raise
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            # the scanner stumbles over some broken directives and escapes
            raise YAMLError(f"the parser stopped ({type(error).__name__})") from error
