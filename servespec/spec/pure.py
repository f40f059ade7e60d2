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
        """Whether another event follows. Raises YAMLError."""
        return bool(self._ask("check_event"))

    def get_event(self) -> Any:
        """The next event. Raises YAMLError."""
        return self._ask("get_event")

    def _ask(self, method: str) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            return getattr(self._parser, method)()
        except YAMLError:
            raise
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            # the scanner stumbles over some broken directives and escapes
            raise YAMLError(f"the parser stopped ({type(error).__name__})") from error
