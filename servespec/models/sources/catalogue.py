"""The catalogue that comes with servespec: one JSON file for each configuration, read only when asked for.

An entry is the config.json of the Hub repository of that name, without the keys that cannot matter to memory
(``scripts/models/catalogue.py``); tests hold its parameters against the repository's safetensors metadata.

An id that is not in it by name may be there by shape: instruct, chat and base variants of one model have the same
tensors and KV layout, and mirrors publish them unchanged. Only words that never change a shape are set aside, so a
quantized or later variant is never taken for another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from servespec.models.sources.found import Found, read_json

FOLDER = Path(__file__).parents[1] / "catalogue"

# Words of a name that say how a model was trained on, not what it is made of.
TRAINING = frozenset({"instruct", "chat", "it", "pt", "base", "hf", "thinking"})
# Organisations that publish others' checkpoints unchanged under the same name.
MIRRORS = frozenset({"unsloth", "nousresearch"})
# Words that a publisher puts before the model's own name.
PUBLISHER_WORDS = frozenset({"meta"})


@cache
def ids() -> tuple[str, ...]:
    """Every id of the catalogue, sorted."""
    return tuple(
        sorted(path.stem.replace("--", "/", 1) for path in FOLDER.glob("*.json") if "--" in path.stem)
    )


def names() -> tuple[str, ...]:
    """Every id, and the other names that the catalogue gives for some, sorted."""
    return tuple(sorted((*_other_names(), *ids())))


@cache
def _other_names() -> Mapping[str, str]:
    document: Mapping[str, str] = json.loads((FOLDER / "aliases.json").read_text(encoding="utf-8"))
    return document


@cache
def _aliases() -> Mapping[str, str]:
    return {alias.lower(): target for alias, target in _other_names().items()}


def shape_key(model: str) -> tuple[str, str]:
    """(organisation, name without the words that do not change a shape), in lower case."""
    organisation, _, name = model.lower().rpartition("/")
    words = [word for word in name.split("-") if word not in TRAINING]
    while len(words) > 1 and words[0] in PUBLISHER_WORDS:
        words = words[1:]
    return organisation, "-".join(words)


@cache
def _by_shape() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for known in ids():
        key = shape_key(known)[1]
        found[key] = (*found.get(key, ()), known)
    return found


def resolve(model: str) -> str | None:
    """The catalogue's id for a model: the same, another case of it, an alias, or a variant of equal shape."""
    lowered = model.lower()
    for known in ids():
        if known.lower() == lowered:
            return known
    if target := _aliases().get(lowered):
        return target
    organisation, key = shape_key(model)
    candidates = _by_shape().get(key, ())
    owned = [known for known in candidates if known.lower().startswith(f"{organisation}/")]
    if not owned and organisation in MIRRORS:
        owned = list(candidates)
    return owned[0] if owned else None


def nearest(model: str) -> tuple[str, ...]:
    """Up to three ids that look like the model's, of the catalogue or other names for what it has."""
    from difflib import get_close_matches

    lowered = {known.lower(): known for known in (*_other_names(), *ids())}
    close = get_close_matches(model.lower(), lowered, n=3, cutoff=0.6)
    if not close:
        names = {known.rpartition("/")[2]: known for known in lowered}
        close = [
            names[name]
            for name in get_close_matches(model.lower().rpartition("/")[2], names, n=3, cutoff=0.6)
        ]
    return tuple(lowered[name] for name in close)


def read(model: str) -> Found | None:
    """The configuration of a model; None where the catalogue does not have it."""
    known = resolve(model)
    if known is None:
        return None
    document = read_json(FOLDER / f"{known.replace('/', '--', 1)}.json")
    same = known.lower() == model.lower()
    return Found(
        config=document["config"],
        hf_quant_config=document.get("hf_quant_config"),
        source="catalogue" if same else f"catalogue (same shapes as {known})",
    )
