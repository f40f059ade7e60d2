"""SGLang: everything that servespec knows of it."""

from servespec.engines.packaged import PackagedEngine

__all__ = ["ENGINE"]

ENGINE = PackagedEngine("sglang", "SGLang", random_weights={"load_format": "dummy"})
