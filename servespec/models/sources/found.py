"""What a source returns, and how its JSON files are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servespec.errors import SourceError
from servespec.spec.source import read_regular

# The largest known configuration (one line per expert of 22,000) has 3 MB.
MOST_JSON_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A configuration as it was found, before anything is made of it."""

    config: Mapping[str, Any] = field(repr=False)
    source: str
    hf_quant_config: Mapping[str, Any] | None = field(default=None, repr=False)
    revision: str | None = None
    tensor_bytes: int | None = None


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object from a file. Raises SourceError for whatever is wrong with it."""
    try:
        data = read_regular(str(path), MOST_JSON_BYTES)
        if len(data) > MOST_JSON_BYTES:
            raise SourceError(
                f"{path} has over {MOST_JSON_BYTES:,} bytes: no model configuration is that large"
            )
        document = json.loads(data)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise SourceError(f"{path} holds a JSON {type(document).__name__}: an object was expected")
    return document
