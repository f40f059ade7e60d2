"""A configuration file of an engine itself: its flags as the keys of one mapping (``--config FILE``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from servespec.engines import engine_names
from servespec.engines.flag_catalogue import FlagCatalogue, every_name, load, newest
from servespec.engines.flag_values import word_of
from servespec.engines.published import version_of
from servespec.importing.documents import Lined
from servespec.importing.resources import accelerators, text_of
from servespec.importing.servers import Server

_VARIABLES = "_environment"


FEWEST_NESTED = 4
"""Policy: flags that a mapping within a file has at least, to be taken for one of an engine's flags."""


def in_options(document: Any) -> Iterator[Server]:
    """The servers that mappings of flags configure, each of the engine that knows most of them.

    The document itself is one where an engine knows half of its keys; else every mapping in it of which an engine
    knows four keys and three quarters (benchmarks' recipes: ``vllm_config: {prefill: {…}, decode: {…}}``).
    """
    if not isinstance(document, Mapping) or not document:
        return
    engine, known = _knowing(document)
    if known * 2 >= len(document):
        yield Server(engine=engine, argv=tuple(_words(load(engine, newest(engine)), document)))
    else:
        yield from _nested(document, Around())


@dataclass(frozen=True, slots=True)
class Around:
    """What the mappings around one of flags say of where it runs; ``variables`` by the key that they are for."""

    image: str | None = None
    gpu: str | None = None
    gpus: int | None = None
    model: str | None = None
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def within(self, node: Mapping[Any, Any]) -> Around:
        """The same with what one more mapping says, in itself and in the sections of it that are named so."""
        found = self
        sections = [
            node,
            *(node[key] for key in ("model", "resources") if isinstance(node.get(key), Mapping)),
        ]
        for section in sections:
            image = next(
                (section[k] for k in ("container", "image") if isinstance(section.get(k), str)), None
            )
            gpu, gpus = accelerators(section)
            path = section.get("path") if section is not node else None
            found = replace(
                found,
                image=image or found.image,
                gpu=gpu or found.gpu,
                gpus=gpus or found.gpus,
                model=path if isinstance(path, str) else found.model,
            )
        variables = {
            str(key).removesuffix(_VARIABLES): {str(name): text_of(item) for name, item in value.items()}
            for key, value in node.items()
            if str(key).endswith(_VARIABLES) and isinstance(value, Mapping)
        }
        return replace(found, variables={**found.variables, **variables})


def _nested(node: Any, around: Around, key: str = "") -> Iterator[Server]:
    if isinstance(node, list):
        for item in node:
            yield from _nested(item, around, key)
    if not isinstance(node, Mapping):
        return
    engine, known = _knowing(node)
    if known < FEWEST_NESTED or known * 4 < 3 * len(node):
        around = around.within(node)
        for name, child in node.items():
            yield from _nested(child, around, str(name))
        return
    yield Server(
        engine=engine,
        argv=tuple(_words(load(engine, newest(engine)), node)),
        environment=around.variables.get(key, {}),
        line=node.line if isinstance(node, Lined) else 1,
        image=around.image,
        version=version_of(engine, around.image) if around.image else None,
        gpu=around.gpu,
        gpus=around.gpus,
        model=around.model,
    )


def _knowing(document: Mapping[Any, Any]) -> tuple[str, int]:
    """The engine that knows most of the keys, and how many it knows."""
    keys = {str(key).replace("-", "_") for key in document}
    known = {engine: len(keys & every_name(engine)) for engine in engine_names()}
    engine = max(known, key=lambda name: known[name])
    return engine, known[engine]


def _words(catalogue: FlagCatalogue, document: Mapping[Any, Any]) -> Iterator[str]:
    """The flags as the engine's reader of such files makes them (vLLM load_config_file, SGLang ConfigArgumentMerger)."""
    for key, value in document.items():
        name = "--" + str(key).replace("_", "-")
        flag = catalogue.get(str(key))
        if value is True:
            yield name
        elif value is False:
            negation = flag.negation if flag is not None else None
            if negation is not None:
                yield negation
        elif isinstance(value, list) and not (flag is not None and flag.kind == "json"):
            if value:
                yield name
                yield from (str(item) for item in value)
        elif value is not None:
            yield name
            yield word_of(flag, value) if flag is not None else str(value)
