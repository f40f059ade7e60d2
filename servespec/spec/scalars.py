"""Plain scalars of YAML 1.2 (core schema): ``yes`` and ``on`` are text, ``8_192`` is text, ``010`` is ten."""

from __future__ import annotations

import re
from functools import cache

ScalarValue = str | int | float | bool | None

HUGE = 10**40
"""Stands for every integer of more than forty digits: beyond all bounds, and cheap to print."""

_CONSTANTS: dict[str, ScalarValue] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".nan": float("nan"),
    ".NaN": float("nan"),
    ".NAN": float("nan"),
    ".inf": float("inf"),
    ".Inf": float("inf"),
    ".INF": float("inf"),
    "+.inf": float("inf"),
    "+.Inf": float("inf"),
    "+.INF": float("inf"),
    "-.inf": float("-inf"),
    "-.Inf": float("-inf"),
    "-.INF": float("-inf"),
}


@cache
def _number() -> re.Pattern[str]:
    return re.compile(
        r"(?P<dec>[-+]?[0-9]+)|0o(?P<oct>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)"
        r"|(?P<real>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    )


def resolve_plain(text: str) -> ScalarValue:
    """The value of an unquoted scalar; an integer of more than forty digits becomes ``±HUGE``."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text.isascii() and text.isdecimal() and len(text) <= 40:
        return int(text)
    match = _number().fullmatch(text)
    if match is None:
        return text
    if match["real"] is not None:
        return float(text)
    digits = match["dec"] or match["oct"] or match["hex"]
    if len(digits) > 40:
        return -HUGE if text[0] == "-" else HUGE
    return int(digits, 10 if match["dec"] is not None else 8 if match["oct"] is not None else 16)
