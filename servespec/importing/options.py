"""A configuration file of an engine itself: its flags as the keys of one mapping (``--config FILE``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from servespec.engines import engine_names
from servespec.engines.flag_catalogue import FlagCatalogue, load, newest
from servespec.engines.flag_values import word_of
from servespec.importing.servers import Server


def in_options(document: Any) -> Iterator[Server]:
    """The server that a mapping of flags configures, of the engine that knows most of them; at least half."""
    if not isinstance(document, Mapping) or not document:
        return
    known = {engine: _known(load(engine, newest(engine)), document) for engine in engine_names()}
    engine = max(known, key=lambda name: known[name])
    if known[engine] * 2 < len(document):
        return
    yield Server(engine=engine, argv=tuple(_words(load(engine, newest(engine)), document)))


def _known(catalogue: FlagCatalogue, document: Mapping[Any, Any]) -> int:
    return sum(catalogue.get(str(key)) is not None or bool(catalogue.history(str(key))) for key in document)


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
