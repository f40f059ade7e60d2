"""SGLang: everything that servespec knows of it."""

from servespec.engines.sglang.engine import ENGINE

__all__ = ["ENGINE"]
