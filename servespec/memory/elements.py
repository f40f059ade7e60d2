"""How many bytes the elements of a type take."""

from __future__ import annotations

from servespec.errors import UnmodelledError

# Bits of one element by torch's names (torch.dtype), and the packed types of quantized checkpoints.
BITS = {
    "float64": 64,
    "int64": 64,
    "float32": 32,
    "float": 32,
    "int32": 32,
    "bfloat16": 16,
    "float16": 16,
    "half": 16,
    "int16": 16,
    "float8_e4m3fn": 8,
    "float8_e4m3fnuz": 8,
    "float8_e5m2": 8,
    "float8_e8m0fnu": 8,
    "fp8": 8,
    "fp8_e4m3": 8,
    "fp8_e4m3fn": 8,
    "fp8_e5m2": 8,
    "fp8_inc": 8,
    "e4m3": 8,
    "e8m0": 8,
    "int8": 8,
    "uint8": 8,
    "bool": 8,
    "int4": 4,
    "uint4": 4,
    "fp4": 4,
    "float4_e2m1fn_x2": 4,
}


def element_bits(dtype: str) -> int:
    """Bits of one element of ``dtype`` (``torch.`` before the name is allowed). Raises UnmodelledError."""
    name = dtype.removeprefix("torch.").lower()
    if name not in BITS:
        raise UnmodelledError(f"element type {dtype}")
    return BITS[name]


def element_bytes(dtype: str) -> int:
    """Bytes of one element of ``dtype``. Raises UnmodelledError, also for types below one byte."""
    bits = element_bits(dtype)
    if bits % 8:
        raise UnmodelledError(f"bytes of one element of the packed type {dtype}")
    return bits // 8
