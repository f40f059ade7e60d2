"""A comparison of specs for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servespec.diagnostics import Diagnostic
    from servespec.upgrade.compare import EngineComparison, MemoryChange, SpecComparison
    from servespec.upgrade.plan import Upgrade

_GIB = 1 << 30


def as_text(comparison: SpecComparison, upgrade: Upgrade | None = None) -> str:
    """What differs, engine by engine; one line says so where nothing does."""
    lines: list[str] = []
    if upgrade is None:
        lines += [f"{key}: {_value(old)} → {_value(new)}" for key, (old, new) in comparison.keys.items()]
    for engine in comparison.engines:
        lines += _engine_lines(engine, upgrade)
    return "\n".join(lines or ["no difference"]) + "\n"


def _engine_lines(engine: EngineComparison, upgrade: Upgrade | None) -> Iterator[str]:
    body = [*_changes(engine.engine, upgrade), *_setting_lines(engine), *map(_memory_line, engine.memory)]
    body += [f"  gone      {_finding(found)}" for found in engine.resolved]
    body += [f"  new       {_finding(found)}" for found in engine.appeared]
    if engine.old_verdict != engine.new_verdict:
        body.append(f"  verdict   {_words(engine.old_verdict)} → {_words(engine.new_verdict)}")
    if body or engine.old_version != engine.new_version:
        yield f"{engine.engine} {_versions(engine)}"
        yield from body or ["  no effective setting, memory or finding changes"]


def _versions(engine: EngineComparison) -> str:
    if engine.old_version == engine.new_version:
        return str(engine.new_version)
    return f"{engine.old_version or '(no target)'} → {engine.new_version or '(no target)'}"


def _changes(engine: str, upgrade: Upgrade | None) -> Iterator[str]:
    for change in upgrade.changes if upgrade is not None else ():
        if change.engine == engine:
            state = "rewrite" if change.give is not None else "to decide" if change.is_needed else "note"
            yield f"  {state:<9} args.{change.name}: {change.message}"


def _setting_lines(engine: EngineComparison) -> Iterator[str]:
    for change in engine.settings:
        sources = dict.fromkeys(source for source in (change.old_source, change.new_source) if source)
        source = f"  ({' → '.join(sources)})" if sources else ""
        yield f"  setting   {change.name}: {_value(change.old)} → {_value(change.new)}{source}"


def _memory_line(change: MemoryChange) -> str:
    difference = change.new - change.old
    if change.name.endswith("_bytes") and change.name != "kv_bytes_per_token":
        return (
            f"  memory    {change.name.removesuffix('_bytes')}: {change.old / _GIB:.2f} → {change.new / _GIB:.2f} GiB "
            f"({difference / _GIB:+.2f})"
        )
    if change.name == "max_concurrency":
        return f"  memory    {change.name}: {change.old:,.2f} → {change.new:,.2f} × ({difference:+,.2f})"
    return f"  memory    {change.name}: {change.old:,.10g} → {change.new:,.10g} ({difference:+,.6g})"


def _finding(found: Diagnostic) -> str:
    return f"{found.severity} {found.code}: {found.message}"


def _words(verdict: str | None) -> str:
    return "none" if verdict is None else verdict.replace("_", " ")


def _value(value: object) -> str:
    if value is None:
        return "unset"
    return json.dumps(value, default=_plain) if not isinstance(value, str) else value


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else list(value)


def as_json(comparison: SpecComparison, upgrade: Upgrade | None = None) -> str:
    """The same for programs."""
    data: dict[str, Any] = {
        "keys": {key: {"old": old, "new": new} for key, (old, new) in comparison.keys.items()},
        "engines": [_engine(engine) for engine in comparison.engines],
    }
    if upgrade is not None:
        data["versions"] = {
            engine: {"old": old, "new": new} for engine, (old, new) in upgrade.versions.items()
        }
        data["args"] = [asdict(change) for change in upgrade.changes]
        data["text"] = upgrade.text
    return json.dumps(data, indent=2, default=_plain) + "\n"


def _engine(engine: EngineComparison) -> dict[str, Any]:
    return {
        "engine": engine.engine,
        "version": {"old": engine.old_version, "new": engine.new_version},
        "verdict": {"old": engine.old_verdict, "new": engine.new_verdict},
        "settings": [asdict(change) for change in engine.settings],
        "memory": [asdict(change) for change in engine.memory],
        "resolved": [_short(found) for found in engine.resolved],
        "appeared": [_short(found) for found in engine.appeared],
    }


def _short(found: Diagnostic) -> dict[str, Any]:
    return {"code": found.code, "severity": str(found.severity), "message": found.message, "key": found.key}
