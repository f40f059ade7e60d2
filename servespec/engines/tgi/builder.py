"""Collects TGI's effective settings, each with where it came from."""

from __future__ import annotations

from types import MappingProxyType
from typing import cast

from servespec.deployment import Setting, Settings, SettingValue, new_setting
from servespec.engines.base import Inputs
from servespec.engines.flag_catalogue import load
from servespec.engines.given import taken
from servespec.engines.tgi.policies import is_since

# Names that changed: the flag of 1.x, and what it is called since 2.0.
FIELDS = {"max_input_length": "max_input_tokens"}

COUNTS = frozenset(
    {
        "num_shard",
        "max_input_tokens",
        "max_total_tokens",
        "max_batch_prefill_tokens",
        "max_batch_total_tokens",
        "max_batch_size",
        "max_concurrent_requests",
    }
)
SHARES = frozenset({"cuda_memory_fraction", "tgi_wiggle_room"})
_NOT_GIVEN: tuple[SettingValue, str] = (None, "")


class Builder:
    """Settings by the launcher's own names (snake case), worked out one after the other."""

    def __init__(self, inputs: Inputs) -> None:
        """Read flags and environment once; a flag wins over its variable."""
        self.inputs = inputs
        self._catalogue = load("tgi", inputs.version)
        self.default_source = f"tgi {inputs.version} default"  # what to name for a default of this version
        self._items: dict[str, Setting] = {}
        self.environment: dict[str, str] = {}
        self._given: dict[str, tuple[SettingValue, str]] = {}
        for section, env in (("env", inputs.spec.env), ("targets.tgi.env", inputs.target.env)):
            for name, value in env.items():
                self.environment[name] = str(value)
                self._give(name.lower(), str(value), f"{section}.{name}")
        for key, value in inputs.target.args.items():
            self._give(key, value, f"targets.tgi.args.{key}")

    def _give(self, name: str, value: object, key: str) -> None:
        flag = self._catalogue.get(name)
        field = flag.name if flag is not None else name.lstrip("-").replace("-", "_")
        found = taken(flag, value) if flag is not None else _number(value)
        self._given[FIELDS.get(field, field)] = (found, key)

    def is_since(self, first: str) -> bool:
        """Whether the version followed is ``first`` or later."""
        return is_since(self.inputs.version, first)

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
        source: str | None = None,
    ) -> SettingValue:
        """Settle ``field``: the spec's key, else flag or variable, else ``default``.

        A value that the launcher cannot mean counts as not given; a diagnostic says so.
        """
        if spec_value is not None:
            self.put(field, spec_value, "spec", spec_key)
            return spec_value
        given, key = self._given.get(field, _NOT_GIVEN)
        if given is not None and _makes_sense(field, given):
            self.put(field, given, "args", key)
            return given
        self.put(field, default, source or self.default_source)
        return default

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

    def is_given(self, field: str) -> bool:
        """Whether the spec, a flag or a variable decides the setting."""
        setting = self._items.get(field)
        return setting is not None and setting.source in ("spec", "args")

    def settings(self) -> Settings:
        """All settings, in the order in which they were worked out."""
        return Settings(items=MappingProxyType(dict(self._items)))


def _makes_sense(field: str, value: SettingValue) -> bool:
    if field in COUNTS:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if field in SHARES:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    return True


def _number(value: object) -> SettingValue:
    """A variable that no flag stands for (TGI_WIGGLE_ROOM, ATTENTION): the number that it spells, else its text."""
    if not isinstance(value, str):
        return cast(SettingValue, value)
    try:
        return float(value)
    except ValueError:
        return {"1": True, "true": True, "false": False}.get(value.lower(), value)
