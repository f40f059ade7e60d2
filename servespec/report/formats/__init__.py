"""One format a module, each with ``write(report, style) -> str``."""
