"""A model's config.json, read with its class's defaults, every value checked where it is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from servespec.errors import SourceError

CLASS_DEFAULTS = Path(__file__).parent / "class_defaults"

# No dimension of any model is near this; a larger one would only be there to exhaust memory.
MOST = 1 << 40
MOST_LAYERS = 4096
MOST_EXPERTS = 65_536

# Keys that nest the language model, in the order in which vLLM and transformers look for it
# (transformers 5.19.0 PreTrainedConfig.get_text_config; Kimi, Thinker and LLaVA derivatives).
TEXT_KEYS = ("text_config", "language_config", "llm_config", "thinker_config")


@cache
def class_defaults(model_type: str) -> Mapping[str, Any]:
    """``{"values", "sub", "names"}`` of a model type's configuration class; empty where it is not known."""
    if not model_type.replace("_", "").replace("-", "").isalnum():
        return {}
    path = CLASS_DEFAULTS / f"{model_type}.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    document: Mapping[str, Any] = json.loads(text)
    return document


class Config:
    """One mapping of a configuration: its own keys first, then its class's defaults.

    A key that is present and null is null: the default does not replace it, as in transformers.
    Every reading method raises SourceError naming the key when the value is of the wrong kind.
    """

    def __init__(self, values: Mapping[str, Any], model_type: str | None = None, path: str = "") -> None:
        """Wrap ``values``; ``model_type`` decides the defaults where the values name none."""
        own = values.get("model_type")
        self.values = values
        self.path = path
        self.model_type = own if isinstance(own, str) and own else (model_type or "")
        document = class_defaults(self.model_type)
        self._defaults: Mapping[str, Any] = document.get("values", {})
        self._sub: Mapping[str, str] = document.get("sub", {})
        self._names: Mapping[str, str] = document.get("names", {})

    def raw(self, *names: str) -> Any:
        """The first of ``names`` that has a value which is not null; None when none has."""
        for name in names:
            for spelling in (name, self._names.get(name)):
                if spelling is not None and self.values.get(spelling) is not None:
                    return self.values[spelling]
        if any(name in self.values for name in names):
            return None
        for name in names:
            for spelling in (name, self._names.get(name)):
                if spelling is not None and self._defaults.get(spelling) is not None:
                    return self._defaults[spelling]
        return None

    def has(self, name: str) -> bool:
        """Whether the configuration itself gives the key a value other than null."""
        return self.values.get(name) is not None

    def wrong(self, names: Iterable[str], found: object, expected: str) -> SourceError:
        """The error for a value that cannot be used."""
        key = self.path + " or ".join(names)
        if found is None:
            return SourceError(f"the model configuration lacks {key}: {expected} was expected")
        shown = repr(found)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return SourceError(f"{key} of the model configuration is {shown}: {expected} was expected")

    def optional(self, *names: str, most: int = MOST) -> int | None:
        """A whole number ≥ 0, or None when there is none."""
        value = self.raw(*names)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self.wrong(names, value, f"a whole number from 0 to {most:,}")
        return value

    def integer(self, *names: str, default: int | None = None, most: int = MOST) -> int:
        """A whole number ≥ 0; ``default`` where the key is absent or null."""
        value = self.optional(*names, most=most)
        if value is None:
            value = default
        if value is None:
            raise self.wrong(names, None, "a whole number")
        return value

    def size(self, *names: str, default: int | None = None, most: int = MOST) -> int:
        """A whole number ≥ 1."""
        value = self.integer(*names, default=default, most=most)
        if value < 1:
            raise self.wrong(names, value, "a whole number of at least 1")
        return value

    def number(self, *names: str, default: float) -> float:
        """A number; ``default`` where the key is absent or null."""
        value = self.raw(*names)
        if value is None:
            return default
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or abs(value) > MOST
            or value != value
        ):
            raise self.wrong(names, value, "a number")
        return float(value)

    def flag(self, *names: str, default: bool = False) -> bool:
        """True or false; ``default`` where the key is absent or null."""
        value = self.raw(*names)
        if value is None:
            return default
        if not isinstance(value, bool | int):
            raise self.wrong(names, value, "true or false")
        return bool(value)

    def text(self, *names: str, default: str = "") -> str:
        """A string; ``default`` where the key is absent or null."""
        value = self.raw(*names)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(names, value, "a string")
        return value

    def mapping(self, *names: str) -> Mapping[str, Any]:
        """A mapping; empty where the key is absent or null."""
        value = self.raw(*names)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.wrong(names, value, "a mapping")
        return value

    def items(self, *names: str) -> tuple[Any, ...]:
        """A list; empty where the key is absent or null."""
        value = self.raw(*names)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or len(value) > MOST_EXPERTS:
            raise self.wrong(names, value, "a list")
        return tuple(value)

    def integers(self, *names: str) -> tuple[int, ...]:
        """A list of whole numbers; empty where the key is absent or null."""
        values = self.items(*names)
        if not all(isinstance(value, int) for value in values):
            raise self.wrong(names, values, "a list of whole numbers")
        return values

    def words(self, *names: str) -> tuple[str, ...]:
        """A list of strings; empty where the key is absent or null."""
        values = self.items(*names)
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(names, values, "a list of strings")
        return values

    def sub(self, name: str) -> Config | None:
        """The nested configuration ``name``; of its class's defaults alone where the file omits it."""
        value = self.values.get(name)
        sub_type = self._sub.get(name)
        if value is None:
            if name in self.values or sub_type is None:
                return None
            value = {}
        if not isinstance(value, Mapping):
            raise self.wrong((name,), value, "a mapping")
        return Config(value, sub_type, f"{self.path}{name}.")

    @property
    def tied(self) -> bool:
        """Whether the output layer is the embedding: as the language model's part says, else the whole.

        Where neither does, the language model's class decides, as in vLLM, which builds the decoder from that part
        (Mistral 3's own class says tied, its checkpoints have an output layer).
        """
        language = self.language
        for part in (language, self):
            if part.has("tie_word_embeddings"):
                return part.flag("tie_word_embeddings")
        return language.flag("tie_word_embeddings")

    @property
    def layers(self) -> int:
        """Number of decoder layers."""
        return self.size("num_hidden_layers", "n_layer", "num_layers", "n_layers", most=MOST_LAYERS)

    @property
    def language(self) -> Config:
        """The language model's part: a nested one, or the configuration itself."""
        for key in TEXT_KEYS:
            nested = self.values.get(key)
            if isinstance(nested, Mapping):
                return Config(nested, self._sub.get(key), f"{self.path}{key}.").language
        text_type = self._sub.get("text_config")
        if text_type and not self.has("hidden_size"):
            return Config({}, text_type, f"{self.path}text_config.")
        if text_type:  # a flat file of a class that nests today (Qwen2-VL as first published)
            flat = {key: value for key, value in self.values.items() if key != "model_type"}
            return Config(flat, text_type, self.path)
        return self
