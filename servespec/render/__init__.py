"""From a deployment to files: ``render`` makes the artefacts of one format, ``write`` and ``drift`` meet the disk."""

from __future__ import annotations

from servespec.render.artefact import Artefact
from servespec.render.files import drift, write
from servespec.render.registry import available_formats, format_names, render

__all__ = ["Artefact", "available_formats", "drift", "format_names", "render", "write"]
