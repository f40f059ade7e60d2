"""The user's price file: what a GPU costs by the hour."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from servespec.errors import SourceError, UnknownGPUError
from servespec.hardware.catalogue import named
from servespec.spec.source import MAX_SOURCE_BYTES, read_regular

EXAMPLE = "{currency: USD, gpus: {H100-80GB: 2.5}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Price of one GPU for one hour by its catalogue name."""

    currency: str
    per_hour: Mapping[str, float]


def read(path: Path) -> Prices:
    """Read ``gpus: {name: price}`` and ``currency``. Raises SourceError that says what is wrong, and where."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(read_regular(str(path), MAX_SOURCE_BYTES).decode("utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except YAMLError as error:
        raise SourceError(f"{path} is no YAML: {str(error)[:300]}") from None
    if not isinstance(document, dict) or not isinstance(document.get("gpus"), dict) or not document["gpus"]:
        raise SourceError(f"{path} has no prices: {EXAMPLE} was expected")
    if unknown := set(document) - {"gpus", "currency"}:
        raise SourceError(f"{path}: unknown key {sorted(map(str, unknown))[0]!r}: {EXAMPLE} was expected")
    per_hour = {}
    for name, price in document["gpus"].items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
            raise SourceError(
                f"{path}: gpus.{name} is {price!r}: a price per hour was expected, as in {EXAMPLE}"
            )
        try:
            per_hour[named(str(name)).name] = float(price)
        except UnknownGPUError as error:
            raise SourceError(f"{path}: gpus.{name}: {error}") from None
    return Prices(currency=str(document.get("currency", "USD")), per_hour=per_hour)
