"""The flags under ``targets.sglang.args``, by the names of ServerArgs' fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from servespec.deployment import SettingValue
from servespec.engines.flag_catalogue import FlagCatalogue, load
from servespec.engines.given import taken

# Names that changed: what a flag is called in some release, and the field that it means in all.
FIELDS = {
    "tp": "tp_size",
    "tensor_parallel_size": "tp_size",
    "pp": "pp_size",
    "pipeline_parallel_size": "pp_size",
    "dp": "dp_size",
    "data_parallel_size": "dp_size",
    "ep": "ep_size",
    "expert_parallel_size": "ep_size",
    "cuda_graph_max_bs_decode": "cuda_graph_max_bs",
    "cuda_graph_bs_decode": "cuda_graph_bs",
    "piecewise_cuda_graph_max_tokens": "cuda_graph_max_bs_prefill",
    "mamba_scheduler_strategy": "mamba_radix_cache_strategy",
    "attn_cp_size": "attention_context_parallel_size",
}
_OTHER_NAMES = {
    field: tuple(name for name, other in FIELDS.items() if other == field) for field in FIELDS.values()
}


class Arguments:
    """Flags by field; dashes, underscores and the spellings of the version are alike."""

    def __init__(self, args: Mapping[str, object], version: str) -> None:
        """Keep ``args`` by field name, with the key under which each was written."""
        self._catalogue: FlagCatalogue = load("sglang", version)
        self._values: dict[str, SettingValue] = {}
        self._keys: dict[str, str] = {}
        for key, value in args.items():
            name = key.lstrip("-").replace("-", "_")
            flag = self._catalogue.get(name)
            field = FIELDS.get(
                flag.name if flag is not None else name, flag.name if flag is not None else name
            )
            self._values[field] = taken(flag, value)
            self._keys[field] = key

    def __contains__(self, field: object) -> bool:
        """Whether the flag is given and not null."""
        return self._values.get(cast("str", field)) is not None

    def get(self, field: str) -> SettingValue:
        """The value as given; None when it is not."""
        return self._values.get(field)

    def key(self, field: str) -> str:
        """The dotted path in the spec under which the flag is written."""
        return f"targets.sglang.args.{self._keys[field]}"

    def default(self, field: str) -> SettingValue:
        """The literal default of this version; None where it has no such flag or works it out."""
        return _default(self._catalogue, field)

    def mapping(self, field: str) -> Mapping[str, object]:
        """A flag whose value is JSON, as a mapping; empty when absent or no object."""
        value = self._values.get(field)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                return {}
        return value if isinstance(value, Mapping) else {}


@lru_cache(maxsize=4096)
def _default(catalogue: FlagCatalogue, field: str) -> SettingValue:
    for name in (field, *_OTHER_NAMES.get(field, ())):
        flag = catalogue.get(name)
        if flag is not None:
            return cast("SettingValue", flag.default)
    return None
