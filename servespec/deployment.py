"""A spec for one engine with every blank filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from servespec.calibration.model import Calibration
from servespec.hardware.gpu import GPU
from servespec.models.facts import ModelFacts
from servespec.spec.model import Spec, Target

SettingValue = str | int | float | bool | None | tuple["SettingValue", ...] | Mapping[str, "SettingValue"]


class Setting(NamedTuple):
    """One effective setting of the engine: its value and where it came from.

    ``source`` reads ``spec``, ``args``, ``vllm 0.25.1 default`` or ``derived from …``; ``key`` is the
    dotted path in the spec that decides it, None for a default.
    """

    value: SettingValue
    source: str
    key: str | None = None


new_setting = tuple.__new__
"""Makes a :class:`Setting` of all its fields, without a call in between: a deployment has thirty of them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Effective settings by the engine's own names (``max_num_batched_tokens``, ``mem_fraction_static``)."""

    items: Mapping[str, Setting] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> Setting:
        """The setting of that name. Raises KeyError."""
        return self.items[name]

    def __contains__(self, name: object) -> bool:
        """Whether the engine version has that setting."""
        return name in self.items

    def __iter__(self) -> Iterator[str]:
        """The names, in the order in which they were worked out."""
        return iter(self.items)

    def value(self, name: str) -> SettingValue:
        """The value alone; None also where the version has no such setting."""
        setting = self.items.get(name)
        return None if setting is None else setting.value

    def integer(self, name: str) -> int:
        """The value as an integer. Raises KeyError when absent, TypeError when it is no integer."""
        value = self.items[name].value
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"setting {name} is {value!r}, an integer was expected")
        return value

    def number(self, name: str) -> float:
        """The value as a float. Raises KeyError when absent, TypeError when it is no number."""
        value = self.items[name].value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"setting {name} is {value!r}, a number was expected")
        return float(value)

    def flag(self, name: str) -> bool:
        """Whether the setting is there and true."""
        return self.value(name) is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What one engine of one version would run: spec, model facts, GPU, effective settings.

    ``version`` is the catalogue's version that is followed, ``asked_version`` what the spec says;
    they differ where the catalogue does not have it. ``draft`` are the facts of a draft model. ``calibration``
    is what was measured of this engine version on this GPU, where there is any.
    ``directory`` is the spec's folder, against which relative paths hold.
    """

    spec: Spec
    engine: str
    version: str
    asked_version: str
    target: Target
    model: ModelFacts
    gpu: GPU
    settings: Settings
    draft: ModelFacts | None = None
    calibration: Calibration | None = None
    directory: Path = field(default_factory=Path)

    def of(self, spec: Spec) -> Deployment:
        """The same for a spec that agrees with this one's in all that decided it."""
        return Deployment(
            spec=spec,
            engine=self.engine,
            version=self.version,
            asked_version=self.asked_version,
            target=self.target,
            model=self.model,
            gpu=self.gpu,
            settings=self.settings,
            draft=self.draft,
            calibration=self.calibration,
            directory=self.directory,
        )

    @property
    def is_exact_version(self) -> bool:
        """Whether the catalogue has the version that the spec asks for."""
        return self.version == self.asked_version
