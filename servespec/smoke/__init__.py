"""Proof: probes over HTTP, and the prediction held against what the engine says. ``smoke`` does both."""

from servespec.smoke.report import SmokeReport
from servespec.smoke.run import smoke

__all__ = ["SmokeReport", "smoke"]
