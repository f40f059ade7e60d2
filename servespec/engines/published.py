"""How an engine appears in what people publish: image names, programs, modules. One constant an engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module

from servespec.engines import engine_names

ACCELERATORS = {
    "tpu": "TPUs", "gaudi": "Gaudi", "hpu": "Gaudi", "habana": "Gaudi", "habanalabs": "Gaudi", "neuron": "Neuron",
    "neuronx": "Neuron", "ascend": "Ascend", "xpu": "Intel GPUs",
}  # fmt: skip
"""Words in images for accelerators that are in no catalogue here, each with what to call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """A program that takes flags in the place of the engine: by name the engine's flag that each becomes, None for
    one of its own. Flags that are not there are handed on as they are."""

    name: str
    image: re.Pattern[str]
    flags: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """``image`` is found in image names, ``version`` in tags and pins of a package; ``programs`` start the server,
    as does ``python -m`` with one of ``modules`` and a file that ends like one of ``scripts``. ``classes``
    of a Python program take flags as keywords. ``settings`` are keys
    of Helm values whose mapping gives flags. ``image_environment`` is what the image sets by itself.
    Tags of images that ``numbered_apart`` finds number what is built around the engine.
    ``other_programs`` are the words in its images' names and tags that start another program than its server,
    ``other_flags`` the flags that do, each with the program's name; ``wrappers`` take the flags in its place.
    ``cuda`` is the major release of CUDA that versions are built for, as (specifier, release); the first that holds."""

    image: re.Pattern[str]
    version: re.Pattern[str]
    programs: tuple[tuple[str, ...], ...] = ()
    modules: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    image_environment: Mapping[str, str] = field(default_factory=dict)
    numbered_apart: re.Pattern[str] | None = None
    other_programs: Mapping[str, str] = field(default_factory=dict)
    other_flags: Mapping[str, str] = field(default_factory=dict)
    wrappers: tuple[Wrapper, ...] = ()
    cuda: tuple[tuple[str, int], ...] = ()


@lru_cache(maxsize=1)
def published() -> Mapping[str, Published]:
    """All engines', by name (``servespec/engines/<engine>/published.py``, PUBLISHED)."""
    return {name: import_module(f"servespec.engines.{name}.published").PUBLISHED for name in engine_names()}


def _published(engine: str) -> Published:
    """One engine's, without those of the others."""
    found: Published = import_module(f"servespec.engines.{engine}.published").PUBLISHED
    return found


def version_of(engine: str, image: str) -> str | None:
    """The engine's version in an image's tag; None for ``latest``, a nightly build or another numbering.

    A tag of an image that is not named after the engine numbers what is built around it.
    """
    how, reference = _published(engine), image.partition("@")[0].lower()
    repository, _, tag = reference.rpartition("/")[2].partition(":")
    if "nightly" in tag or not how.image.search(repository):
        return None
    if how.numbered_apart is not None and how.numbered_apart.search(reference):
        return None
    match = how.version.search(tag.partition(engine)[2] if engine in tag else tag)
    return match[1] if match is not None else None


def words_of_image(image: str) -> frozenset[str]:
    """The words of an image's name and tag, its registry left out."""
    return frozenset(re.split(r"[^a-z]+", image.partition("@")[0].lower().partition("/")[2] or image.lower()))


def other_accelerator(image: str | None) -> str | None:
    """The accelerator that an image is made for, where it is one that is not modelled here."""
    words = words_of_image(image) if image is not None else frozenset[str]()
    return next((name for word, name in ACCELERATORS.items() if word in words), None)


@dataclass(frozen=True, slots=True)
class OtherProgram:
    """A program that runs in the place of the engine's server; ``sign`` shows it, ``key`` is where, below the target."""

    name: str
    sign: str
    key: str


def other_program(engine: str, image: str | None, flags: Iterable[str] = ()) -> OtherProgram | None:
    """The program that an image of the engine, or one of the flags, starts in the place of its server."""
    how = _published(engine)
    repository, _, tag = (image or "").partition("@")[0].rpartition("/")[2].lower().partition(":")
    if how.image.search(repository):
        words = re.split(r"[-_.+]", f"{repository}-{tag}")
        for word, program in how.other_programs.items():
            if word in words:
                return OtherProgram(program, f"the image {image}", "image")
    for flag in flags if how.other_flags else ():
        program = how.other_flags.get(flag.lstrip("-").replace("-", "_"), "")
        if program:
            return OtherProgram(program, f"the flag {flag}", f"args.{flag}")
    return None
