"""How an engine appears in what people publish: image names, programs, modules. One constant an engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module

from servespec.engines import engine_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """``image`` is found in image names, ``version`` in tags and pins of a package; ``programs`` start the server,
    as does ``python -m`` with one of ``modules`` and a file that ends like one of ``scripts``. ``settings`` are keys
    of Helm values whose mapping gives flags. ``image_environment`` is what the image sets by itself.
    ``other_programs`` are the words in tags of its images that start another program than its server, each with the
    program's name."""

    image: re.Pattern[str]
    version: re.Pattern[str]
    programs: tuple[tuple[str, ...], ...] = ()
    modules: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    image_environment: Mapping[str, str] = field(default_factory=dict)
    other_programs: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def published() -> Mapping[str, Published]:
    """All engines', by name (``servespec/engines/<engine>/published.py``, PUBLISHED)."""
    return {name: import_module(f"servespec.engines.{name}.published").PUBLISHED for name in engine_names()}


def other_program(engine: str, image: str | None) -> str | None:
    """The program that an image of the engine starts in the place of its server; None where it starts the server."""
    if image is None:
        return None
    how: Published = import_module(f"servespec.engines.{engine}.published").PUBLISHED
    repository, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    if not how.image.search(repository.lower()):
        return None
    words = re.split(r"[-_.+]", tag.lower())
    return next((program for word, program in how.other_programs.items() if word in words), None)
