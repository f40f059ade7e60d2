"""One self-contained HTML page of a check: ``page`` writes it, with what was seen of running servers where given.

The page loads nothing, runs nothing, and takes the reader's light or dark.
"""

from __future__ import annotations

from servespec.report.page.evidence import Evidence, read_evidence
from servespec.report.page.writer import GENERATOR, page

__all__ = ["GENERATOR", "Evidence", "page", "read_evidence"]
