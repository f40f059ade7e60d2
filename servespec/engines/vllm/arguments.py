"""The flags given under ``targets.vllm.args``, read by their underscored long names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from servespec.deployment import SettingValue

# Short spellings of `vllm serve` (vllm/engine/arg_utils.py, add_cli_args).
ALIASES = {
    "tp": "tensor_parallel_size",
    "pp": "pipeline_parallel_size",
    "dp": "data_parallel_size",
    "dcp": "decode_context_parallel_size",
    "pcp": "prefill_context_parallel_size",
    "ep": "enable_expert_parallel",
    "q": "quantization",
    "cc": "compilation_config",
    "sc": "speculative_config",
    "ac": "attention_config",
    "O": "optimization_level",
}


class Arguments:
    """Flags by name: dashes and underscores are alike, ``no_`` spellings turn a flag off."""

    def __init__(self, args: Mapping[str, object]) -> None:
        """Keep ``args`` by canonical name, with the key under which each was written."""
        self._values: dict[str, object] = {}
        self._keys: dict[str, str] = {}
        for key, value in args.items():
            name = key.lstrip("-").replace("-", "_")
            name, _, rest = name.partition(".")
            name = ALIASES.get(name, name)
            if name.startswith("no_") and isinstance(value, bool):
                name, value = name.removeprefix("no_"), not value
            if rest:
                value = {**self._as_mapping(name), rest: value}
            self._values[name] = value
            self._keys[name] = key

    def _as_mapping(self, name: str) -> Mapping[str, object]:
        value = self._values.get(name)
        return value if isinstance(value, Mapping) else {}

    def __contains__(self, name: object) -> bool:
        """Whether the flag is given and not null."""
        return self._values.get(cast(str, name)) is not None

    def get(self, name: str) -> SettingValue:
        """The value as given; None when it is not."""
        return cast(SettingValue, self._values.get(name))

    def key(self, name: str) -> str:
        """The dotted path in the spec under which the flag is written."""
        return f"targets.vllm.args.{self._keys[name]}"

    def mapping(self, name: str) -> Mapping[str, object]:
        """A flag whose value is JSON, as a mapping; empty when it is absent or is not an object."""
        value = self._values.get(name)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                return {}
        return value if isinstance(value, Mapping) else {}
