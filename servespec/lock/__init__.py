"""``servespec.lock``: what a spec's verdict rests on, so that ``check`` says the same offline, later, elsewhere.

:func:`make` reckons the lock of some specs, :func:`drift` says what no longer agrees with one.
"""

from __future__ import annotations

from servespec.lock.compare import drift
from servespec.lock.make import make, merged, text_of

__all__ = ["drift", "make", "merged", "text_of"]
