"""What a lock says against what holds now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servespec.errors import ServespecError
from servespec.models.sources.lock import NAME, read_lock
from servespec.spec.model import Spec


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: the spec key that it is about, what was locked and what holds now."""

    key: str
    what: str
    locked: object
    now: object

    def __str__(self) -> str:
        """As a sentence."""
        return f"{self.what}: {_shown(self.locked)} is locked, {_shown(self.now)} holds now"


def drift(spec: Spec, directory: Path) -> Iterator[Drift]:
    """Differences between a spec and the lock beside it; none where there is no lock, or the spec is not in it.

    Model facts that cannot be found are no drift: they are a finding of their own. Raises SourceError for a
    file that is no lock.
    """
    from servespec.lock.make import entry

    document = read_lock(directory / NAME)
    locked = None if document is None else document["specs"].get(spec.name)
    if not isinstance(locked, dict):
        return
    try:
        now = entry(spec, directory)
    except ServespecError:
        return
    yield from _of_model("model", locked.get("model"), now["model"])
    yield from _of_model("speculative", locked.get("draft"), now["draft"])
    targets = locked.get("targets")
    then: dict[str, Any] = targets if isinstance(targets, dict) else {}
    for engine in sorted({*then, *now["targets"]}):
        place = f"targets.{engine}"
        one, other = then.get(engine), now["targets"].get(engine)
        if not isinstance(one, dict) or not isinstance(other, dict):
            yield Drift("targets", engine, _presence(one), _presence(other))
            continue
        for part in ("version", "image", "calibration"):
            if one.get(part) != other[part]:
                key = place if part == "calibration" else f"{place}.{part}"
                yield Drift(key, f"{part} of {engine}", one.get(part), other[part])
                break  # another version has another image and other calibrations


def _of_model(place: str, then: object, now: dict[str, Any] | None) -> Iterator[Drift]:
    if now is None or not isinstance(then, dict):
        if (now is None) != (then is None):
            yield Drift(place, place, _presence(then), _presence(now))
        return
    key_of_id = "speculative.model" if place == "speculative" else "model.id"
    for part, key in (("id", key_of_id), ("config", f"{place}.config")):
        if then.get(part) != now[part]:
            yield Drift(key, f"{place} {part}", then.get(part), now[part])
            return
    if then.get("revision") != now["revision"]:
        yield Drift("model.revision", "revision", then.get("revision"), now["revision"])
    elif then.get("digest") != now["digest"]:
        yield Drift(key_of_id, f"configuration of {now['id']}", then.get("digest"), now["digest"])


def _presence(value: object) -> str:
    return "none" if value is None else "one"


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text[:19] + "…" if text.startswith("sha256:") else text
