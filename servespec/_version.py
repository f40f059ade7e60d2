"""The version of servespec, in one place."""

__version__ = "0.1.0"
