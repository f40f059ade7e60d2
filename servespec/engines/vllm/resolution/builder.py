"""Collects effective settings, each with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from servespec.deployment import Setting, Settings, SettingValue, new_setting
from servespec.engines.base import Inputs
from servespec.engines.vllm.arguments import Arguments
from servespec.rules.versions import holds


class Builder:
    """Settings by vLLM's own names, worked out one after the other."""

    def __init__(self, inputs: Inputs) -> None:
        """Read the target's flags and environment once."""
        self.inputs = inputs
        self.arguments = Arguments(inputs.target.args)
        self.environment: dict[str, str] = {
            name: str(value) for env in (inputs.spec.env, inputs.target.env) for name, value in env.items()
        }
        self.default_source = f"vllm {inputs.version} default"  # what to name for a default of this version
        self._items: dict[str, Setting] = {}

    def is_version(self, specifier: str) -> bool:
        """Whether the version that is followed meets ``specifier``."""
        return holds(specifier, self.inputs.version)

    def put(self, name: str, value: SettingValue, source: str, key: str | None = None) -> None:
        """Settle a setting."""
        self._items[name] = new_setting(Setting, (value, source, key))

    def choose(
        self,
        name: str,
        default: SettingValue,
        *,
        spec_value: SettingValue = None,
        spec_key: str | None = None,
        source: str | None = None,
    ) -> SettingValue:
        """Settle ``name``: the spec's key, else the flag, else ``default`` with its ``source``."""
        if spec_value is not None:
            self.put(name, spec_value, "spec", spec_key)
            return spec_value
        given = self.arguments.get(name)
        if given is not None:
            self.put(name, given, "args", self.arguments.key(name))
            return given
        self.put(name, default, source or self.default_source)
        return default

    def derive(self, name: str, value: SettingValue, reason: str) -> None:
        """Replace a setting by what vLLM makes of it; the key that decides it stays."""
        before = self._items.get(name)
        self.put(name, value, f"derived from {reason}", before.key if before else None)

    def value(self, name: str) -> SettingValue:
        """A setting already settled."""
        return self._items[name].value

    def integer(self, name: str, fallback: int = 0) -> int:
        """A setting as an integer; ``fallback`` where it is absent or no integer."""
        setting = self._items.get(name)
        if setting is None or isinstance(setting.value, bool) or not isinstance(setting.value, int | float):
            return fallback
        return int(setting.value)

    def is_given(self, name: str) -> bool:
        """Whether the spec or a flag decides the setting."""
        setting = self._items.get(name)
        return setting is not None and setting.source in ("spec", "args")

    def settings(self) -> Settings:
        """All settings, in the order in which they were worked out."""
        items: Mapping[str, Setting] = MappingProxyType(dict(self._items))
        return Settings(items=items)
