"""vLLM: everything that servespec knows of it."""

from servespec.engines.packaged import PackagedEngine

__all__ = ["ENGINE"]

ENGINE = PackagedEngine("vllm", "vLLM", random_weights={"load_format": "dummy"})
