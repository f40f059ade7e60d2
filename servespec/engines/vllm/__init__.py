"""vLLM: everything that servespec knows of it."""

from servespec.engines.vllm.engine import ENGINE

__all__ = ["ENGINE"]
