"""Quantization: what a checkpoint says (or a spec asks of the engine), and what that makes of each tensor.

Public: :func:`parse`, :func:`online_quantization`, :func:`format_of`, :func:`by_format`,
:func:`checkpoint_bytes`.
"""

from servespec.models.quantization.matching import by_format, format_of
from servespec.models.quantization.online import online_quantization
from servespec.models.quantization.parse import parse
from servespec.models.quantization.storage import checkpoint_bytes

__all__ = ["by_format", "checkpoint_bytes", "format_of", "online_quantization", "parse"]
