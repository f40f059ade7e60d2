"""Where a server would start on this machine."""

from __future__ import annotations

from enum import StrEnum


class Place(StrEnum):
    """An engine that is installed on the host comes before a container, as in ``servespec run``."""

    host = "host"
    container = "container"
    none = "none"
