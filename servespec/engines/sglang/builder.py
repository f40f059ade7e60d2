"""Collects SGLang's effective settings, each with where it came from."""

from __future__ import annotations

from types import MappingProxyType

from servespec.deployment import Setting, Settings, SettingValue, new_setting
from servespec.engines.base import Inputs
from servespec.engines.sglang.arguments import Arguments
from servespec.engines.sglang.versions import is_since

COUNTS = frozenset(
    {
        "tp_size",
        "pp_size",
        "dp_size",
        "ep_size",
        "page_size",
        "context_length",
        "max_prefill_tokens",
        "max_running_requests",
        "max_total_tokens",
        "max_mamba_cache_size",
        "cuda_graph_max_bs",
        "speculative_num_draft_tokens",
        "max_lora_rank",
        "max_loras_per_batch",
    }
)
SHARES = frozenset({"mem_fraction_static", "swa_full_tokens_ratio", "mamba_full_memory_ratio"})
MOST_SHARE = 100  # mamba_full_memory_ratio is a ratio of two shares


class Builder:
    """Settings by the names of ServerArgs' fields, worked out one after the other."""

    def __init__(self, inputs: Inputs) -> None:
        """Read the target's flags once."""
        self.inputs = inputs
        self.arguments = Arguments(inputs.target.args, inputs.version)
        self.default_source = f"sglang {inputs.version} default"  # what to name for a default of this version
        self._items: dict[str, Setting] = {}

    def is_since(self, first: str) -> bool:
        """Whether the version followed is ``first`` or later."""
        return is_since(self.inputs.version, first)

    @property
    def gpu_mib(self) -> float | None:
        """The GPU's memory as ServerArgs reads it (nvidia-smi's total), in MiB; None where it is not known."""
        total = self.inputs.gpu.driver_total_bytes or self.inputs.gpu.total_bytes
        return total / 2**20 if total else None

    def put(self, field: str, value: SettingValue, source: str, key: str | None = None) -> None:
        """Settle a setting."""
        self._items[field] = new_setting(Setting, (value, source, key))

    def choose(
        self,
        field: str,
        *,
        spec_value: SettingValue = None,
        spec_key: str | None = None,
        default: SettingValue = None,
    ) -> SettingValue:
        """Settle ``field``: the spec's key, else the flag, else ``default`` or the version's literal one.

        A value that the engine cannot mean counts as not given; a diagnostic says so.
        """
        if spec_value is not None:
            self.put(field, spec_value, "spec", spec_key)
            return spec_value
        given = self.arguments.get(field)
        if given is not None and _makes_sense(field, given):
            self.put(field, given, "args", self.arguments.key(field))
            return given
        value = default if default is not None else self.arguments.default(field)
        self.put(field, value, self.default_source)
        return value

    def derive(self, field: str, value: SettingValue, reason: str) -> None:
        """Replace a setting by what SGLang makes of it; the key that decides it stays."""
        before = self._items.get(field)
        self.put(field, value, f"derived from {reason}", before.key if before else None)

    def value(self, field: str) -> SettingValue:
        """A setting already settled; None where it is not."""
        setting = self._items.get(field)
        return None if setting is None else setting.value

    def integer(self, field: str, fallback: int = 0) -> int:
        """A setting as an integer; ``fallback`` where it is absent or no integer."""
        value = self.value(field)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return fallback
        return int(value)

    def flag(self, field: str) -> bool:
        """Whether a setting is true."""
        return self.value(field) is True

    def settings(self) -> Settings:
        """All settings, in the order in which they were worked out."""
        return Settings(items=MappingProxyType(dict(self._items)))


def _makes_sense(field: str, value: SettingValue) -> bool:
    if field in COUNTS:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if field in SHARES:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MOST_SHARE
    return True
