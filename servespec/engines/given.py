"""The value that an engine makes of one flag under ``args``: what its parser would hand on.

A value that the parser refuses counts as not given: a diagnostic says so, and the budget goes by the default.
"""

from __future__ import annotations

from typing import cast

from servespec.deployment import SettingValue
from servespec.engines.flag_catalogue import Flag
from servespec.engines.flag_values import BadValue, convert

NUMBERS = frozenset({"int", "port", "float", "size", "size_or_auto"})


def taken(flag: Flag | None, value: object) -> SettingValue:
    """The value as the parser takes it; None where it takes none of that kind.

    A flag that the version does not have (None) keeps its value as written.
    """
    if flag is None or value is None:
        return cast(SettingValue, value)
    if flag.kind in ("bool", "boolish"):
        return {"true": True, "false": False}.get(str(value).lower())
    if isinstance(value, bool):
        return value if flag.kind not in NUMBERS else None
    if flag.kind in NUMBERS and isinstance(value, str | int | float):
        try:
            return cast(SettingValue, convert(flag, str(value)))
        except BadValue:
            return None
    return cast(SettingValue, value)
