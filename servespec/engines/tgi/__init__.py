"""TGI: everything that servespec knows of it."""

from servespec.engines.tgi.engine import ENGINE

__all__ = ["ENGINE"]
