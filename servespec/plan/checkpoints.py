"""Other forms of the spec's checkpoint: quantized variants of the catalogue, and what engines quantize as they load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from servespec.errors import ServespecError
from servespec.models import find
from servespec.models.facts import ModelFacts
from servespec.models.sources import catalogue
from servespec.plan.candidate import Checkpoint
from servespec.spec.model import Model

ONLINE_METHODS = ("fp8", "bitsandbytes", "eetq")
"""Methods of model.quantization that an engine applies to a checkpoint of full precision (vLLM 0.32.0, TGI 3.3.7,
SGLang 0.5.23); which of them an engine has is said by its own rules."""

_QUANTIZATION_WORD = re.compile(
    r"fp8|fp4|nvfp4|mxfp4|mxfp8|awq\d?|gptq\d?|int[48]|w\d+a\d+|[48]bit|quantized|dynamic|static|block|pertensor|"
    r"bnb|marlin|modelopt|autoround|hf"
)
"""Words that a publisher adds to a model's name for its quantized form (names of the catalogue and its aliases)."""


def base_words(model: str) -> tuple[str, ...]:
    """The words of a model's name, in lower case, without those that say how it is quantized or who published it."""
    words = re.split(r"[-._]", model.rpartition("/")[2].lower())
    kept = [word for word in words if not _QUANTIZATION_WORD.fullmatch(word)]
    return tuple(kept[1:] if kept[:1] and kept[0] in catalogue.PUBLISHER_WORDS else kept)


def same_shapes(one: ModelFacts, other: ModelFacts) -> bool:
    """Whether two checkpoints can be the same model, stored differently."""
    names = ("architecture", "hidden_size", "layers", "attention_heads", "kv_heads", "head_dim", "vocab_size")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def checkpoints(own: Checkpoint, directory: Path, further: tuple[Model, ...] = ()) -> Iterator[Checkpoint]:
    """The spec's own checkpoint, its variants of the catalogue, those that were named, and what engines quantize.

    Raises ServespecError for a named one that cannot be found.
    """
    yield own
    if own.facts.quantization is None and own.model.quantization is None:
        for method in ONLINE_METHODS:
            model = own.model.model_copy(update={"quantization": method})
            yield Checkpoint(model, own.facts, f"{own.model.id}, {method} while it loads", is_own=False)
    seen = {own.model.id.lower()}
    for model in further:
        yield Checkpoint(model, find(model, directory), model.config or model.id, is_own=False)
        seen.add(model.id.lower() if model.config is None else "")
    wanted = base_words(own.model.id)
    for known in catalogue.ids():
        if known.lower() in seen or base_words(known) != wanted:
            continue
        model = own.model.model_copy(
            update={"id": known, "revision": None, "config": None, "quantization": None}
        )
        try:
            facts = find(model, directory)
        except ServespecError:
            continue
        if same_shapes(own.facts, facts):
            yield Checkpoint(model, facts, known, is_own=False)
