"""The scalar types of the language, with the bounds that keep values sane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

MAX_INTEGER = 2**53
"""Largest integer that JSON readers keep exactly."""

Text: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$")
]
Host: TypeAlias = Annotated[str, Field(max_length=255, pattern=r"^[^\s\x00-\x1f\x7f/]+$")]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$")]
Namespace: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A label of DNS, as Kubernetes wants it."""
_Integer: TypeAlias = Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
_Float: TypeAlias = Annotated[float, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
EnvValue: TypeAlias = (
    Annotated[str, Field(max_length=32768, pattern=r"^[^\x00]*$")] | bool | _Integer | _Float
)
ImageReference: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$")
]
Positive: TypeAlias = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
NonNegative: TypeAlias = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
DeviceMemory: TypeAlias = Annotated[float, Field(ge=0.1, le=1e6)]
PositiveFloat: TypeAlias = Annotated[float, Field(gt=0, le=1e9)]
NonNegativeFloat: TypeAlias = Annotated[float, Field(ge=0, le=1e9)]
Fraction: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]


def _argument(value: Any) -> Any:
    """The value of a flag as plain frozen data. Numbers are those that JSON readers keep."""
    if isinstance(value, Mapping):
        return {str(name): _argument(item) for name, item in value.items()}
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise PydanticCustomError("argument_text", "text that UTF-8 can hold, no half of a surrogate pair")
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, Sequence):
        return tuple(_argument(item) for item in value)
    if isinstance(value, float) and not isfinite(value):
        raise PydanticCustomError("finite_number", "a finite number")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise PydanticCustomError(
            "argument_integer", "an integer of at most {limit}", {"limit": f"{MAX_INTEGER:,}"}
        )
    return value


ArgValue: TypeAlias = Annotated[Any, AfterValidator(_argument)]
