"""One thing that a server needs where it starts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether it is there; ``unsure`` where the server may start all the same, or nothing can be seen from here."""

    met = "met"
    lacking = "lacking"
    unsure = "unsure"


@dataclass(frozen=True, slots=True)
class Need:
    """What is needed (``driver``, ``GPU memory``, …), whether it is there, and the figures; what to do where it is not."""

    name: str
    state: State
    message: str
