"""An artefact: one file that servespec writes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file: ``path`` is relative to the folder it is written to and has ``/`` between its parts."""

    path: str
    text: str
    executable: bool = False
