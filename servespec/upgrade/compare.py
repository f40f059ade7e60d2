"""The semantic difference of two specs: effective settings, memory, findings; engine by engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.check import Options, check_file

if TYPE_CHECKING:
    from servespec.deployment import Deployment, Setting, SettingValue
    from servespec.diagnostics import Diagnostic
    from servespec.memory.budget import MemoryBudget
    from servespec.report.model import FileReport, TargetReport
    from servespec.spec.loader import LoadedSpec


@dataclass(frozen=True, slots=True)
class SettingChange:
    """An effective setting that is not the same; None where a side does not have it. Sources as in `Setting`."""

    name: str
    old: SettingValue
    new: SettingValue
    old_source: str
    new_source: str


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """One figure of the budget, in bytes (tokens for ``kv_tokens``, times for ``max_concurrency``)."""

    name: str
    old: float
    new: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineComparison:
    """What differs for one engine; a side's version is None where it has no such target."""

    engine: str
    old_version: str | None
    new_version: str | None
    old_verdict: str | None
    new_verdict: str | None
    settings: tuple[SettingChange, ...] = ()
    memory: tuple[MemoryChange, ...] = ()
    resolved: tuple[Diagnostic, ...] = ()
    appeared: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecComparison:
    """The comparison of two specs; ``keys`` are those of the specs themselves that differ: (old, new)."""

    keys: Mapping[str, tuple[object, object]]
    engines: tuple[EngineComparison, ...]

    @property
    def is_same(self) -> bool:
        """Whether both specs mean the same."""
        return not self.keys and not any(engine.settings or engine.memory for engine in self.engines)


def compare(old: LoadedSpec, new: LoadedSpec, *, online: bool = False) -> SpecComparison:
    """Compare two loaded specs. What is wrong with either is among the findings of its engines."""
    options = Options(online=online)
    before, after = check_file(old, options), check_file(new, options)
    engines = dict.fromkeys([*(t.engine for t in before.targets), *(t.engine for t in after.targets)])
    return SpecComparison(
        keys=_keys(old, new), engines=tuple(_engine(engine, before, after) for engine in engines)
    )


def _keys(old: LoadedSpec, new: LoadedSpec) -> dict[str, tuple[object, object]]:
    before, after = _flat(old), _flat(new)
    return {
        key: (before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    }


def _flat(loaded: LoadedSpec) -> dict[str, object]:
    spec = loaded.spec or loaded.partial
    if spec is None:
        return {}
    found: dict[str, object] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                walk(item, f"{path}.{key}" if path else str(key))
        elif value is not None:
            found[path] = value

    walk(spec.model_dump(mode="json", exclude_defaults=True), "")
    return found


def _engine(engine: str, before: FileReport, after: FileReport) -> EngineComparison:
    old = next((t for t in before.targets if t.engine == engine), None)
    new = next((t for t in after.targets if t.engine == engine), None)
    known = {(d.code, d.key, d.message) for d in before.diagnostics}
    left = {(d.code, d.key, d.message) for d in after.diagnostics}

    def about(diagnostic: Diagnostic) -> bool:
        return diagnostic.engine in (engine, None)

    return EngineComparison(
        engine=engine,
        old_version=old.version if old else None,
        new_version=new.version if new else None,
        old_verdict=str(old.verdict) if old else None,
        new_verdict=str(new.verdict) if new else None,
        settings=_settings(old, new),
        memory=_memory(old.budget if old else None, new.budget if new else None),
        resolved=tuple(d for d in before.diagnostics if about(d) and (d.code, d.key, d.message) not in left),
        appeared=tuple(d for d in after.diagnostics if about(d) and (d.code, d.key, d.message) not in known),
    )


def _settings(old: TargetReport | None, new: TargetReport | None) -> tuple[SettingChange, ...]:
    before, after = _items(old.deployment if old else None), _items(new.deployment if new else None)
    if not before or not after:
        return ()
    changes = []
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if (was.value if was else None) != (now.value if now else None):
            changes.append(
                SettingChange(
                    name,
                    was.value if was else None,
                    now.value if now else None,
                    was.source if was else "",
                    now.source if now else "",
                )
            )
    return tuple(changes)


def _items(deployment: Deployment | None) -> Mapping[str, Setting]:
    return deployment.settings.items if deployment is not None else {}


def _memory(old: MemoryBudget | None, new: MemoryBudget | None) -> tuple[MemoryChange, ...]:
    if old is None or new is None:
        return ()
    figures = {
        "budget_bytes": (old.budget_bytes, new.budget_bytes),
        **{
            f"{was.name}_bytes".replace("_bytes_bytes", "_bytes"): (was.size_bytes, now.size_bytes)
            for was, now in zip(old.terms, new.terms, strict=True)
        },
        "kv_cache_bytes": (old.kv_cache_bytes, new.kv_cache_bytes),
        "kv_tokens": (old.kv_tokens, new.kv_tokens),
        "max_concurrency": (old.max_concurrency, new.max_concurrency),
    }
    return tuple(MemoryChange(name, was, now) for name, (was, now) in figures.items() if was != now)
