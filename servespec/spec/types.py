"""The scalar types of the language, with the bounds that keep values sane."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

MAX_INTEGER = 2**53
"""Largest integer that JSON readers keep exactly."""

Text: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$")]
EnvValue: TypeAlias = Annotated[str, Field(max_length=32768, pattern=r"^[^\x00]*$")] | bool | int | float
ImageReference: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$")
]
Positive: TypeAlias = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
NonNegative: TypeAlias = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
PositiveFloat: TypeAlias = Annotated[float, Field(gt=0, le=1e9)]
NonNegativeFloat: TypeAlias = Annotated[float, Field(ge=0, le=1e9)]
Fraction: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
