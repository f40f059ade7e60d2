"""Whether a release of SGLang has a model of its own for an architecture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from servespec.rules.versions import version_key


@cache
def _read() -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The releases that were read, and by architecture those that have it (scripts/sglang_architectures.py)."""
    data = json.loads(Path(__file__).with_name("architectures.json").read_bytes())
    return tuple(data["releases"]), {name: tuple(found) for name, found in data["architectures"].items()}


@lru_cache(maxsize=1024)
def has_model(architecture: str, version: str) -> bool:
    """Whether one of the releases read next to ``version``, on either side, has a model for it."""
    releases, known = _read()
    before = [each for each in releases if version_key(each) <= version_key(version)]
    after = [each for each in releases if version_key(each) >= version_key(version)]
    return not {*before[-1:], *after[:1]}.isdisjoint(known.get(architecture, ()))
