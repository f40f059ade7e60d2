"""What lowering is for every engine: the keys of the spec, each with the ways in which flags say it.

An engine declares its keys as a table. The first way whose flags the exact version has is taken; a
key that is asked for and has no way left is one that this version cannot express.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from servespec.deployment import Deployment, SettingValue
from servespec.diagnostics import Diagnostic, Fix, Severity
from servespec.engines.flag_catalogue import FlagCatalogue, load

INEXPRESSIBLE = "SV219"
REFERENCE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)(?::?[-?+][^}]*)?\}|(?P<bare>[A-Za-z_]\w*))")
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 (a container is reached through what it publishes)

Values = Mapping[str, SettingValue]


def _nothing(deployment: Deployment) -> Mapping[str, str]:
    return {}


def _always(deployment: Deployment) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to say a key: the flags it needs, their values, and environment variables.

    ``holds`` tells where the way means what the key means; ``since`` words the condition for people
    where it is more than the flags.
    """

    flags: tuple[str, ...] = ()
    values: Callable[[Deployment], Values] = _nothing
    environment: Callable[[Deployment], Mapping[str, str]] = _nothing
    holds: Callable[[Deployment], bool] = _always


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Key:
    """A key of the spec, when it asks for something, and the ways to say it, best first.

    A key equals itself alone, so that a table of keys is quick to look up. ``advice`` is what to do where there is no way; ``severity`` error where the server would be another
    than the one asked for, warning where it merely does without.
    """

    path: str
    is_asked: Callable[[Deployment], bool]
    ways: tuple[Way, ...] = ()
    advice: str
    severity: Severity = Severity.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the keys of a spec come to: flag values in the table's order, and environment."""

    values: Mapping[str, SettingValue]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Variables of the server: plain values, and secrets by the variable that holds them."""

    plain: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


def flag(name: str, value: Callable[[Deployment], SettingValue]) -> Way:
    """The way of one flag with one value."""
    return Way(flags=(name,), values=lambda deployment: {name: value(deployment)})


def catalogue_of(deployment: Deployment) -> FlagCatalogue:
    """The flags of the version that is followed."""
    return load(deployment.engine, deployment.version)


def say(deployment: Deployment, keys: tuple[Key, ...]) -> Said:
    """Go through the table with one deployment."""
    values: dict[str, SettingValue] = {}
    environment: dict[str, str] = {}
    for _, way in _ways(deployment, keys):
        if way is not None:
            values |= way.values(deployment)
            environment |= way.environment(deployment)
    return Said(values=values, environment=environment)


def _ways(deployment: Deployment, keys: tuple[Key, ...]) -> Iterator[tuple[Key, Way | None]]:
    """Every key that is asked for, with the first way that is open; None where there is none."""
    catalogue = catalogue_of(deployment)
    for key in keys:
        if key.is_asked(deployment):
            yield key, next((way for way in key.ways if _is_open(way, catalogue, deployment)), None)


def _is_open(way: Way, catalogue: FlagCatalogue, deployment: Deployment) -> bool:
    for name in way.flags:
        if catalogue.get(name) is None:
            return False
    return way.holds is _always or way.holds(deployment)


def with_args(deployment: Deployment, usual: Values, said: Values) -> dict[str, SettingValue]:
    """All values of the command: the usual ones, which ``args`` may replace, what the keys say, and ``args``.

    What a key says stays: giving both is a conflict that ``check`` shows.
    """
    catalogue = catalogue_of(deployment)
    merged: dict[str, SettingValue] = {}
    for values in (usual, said):
        merged |= {_canonical(catalogue, name, value)[0]: value for name, value in values.items()}
    fixed = {_canonical(catalogue, name, value)[0] for name, value in said.items()}
    for spelled, value in deployment.target.args.items():
        if value is None or _reference(value) is not None:
            continue
        name, given = _canonical(catalogue, spelled, value)
        head, _, rest = name.partition(".")
        if rest and catalogue.get(head) is not None:
            before = merged.get(head)
            merged[head] = {**(before if isinstance(before, Mapping) else {}), rest: given}
        elif name not in fixed:
            merged[name] = given
    return merged


def written(deployment: Deployment, values: Values, **fields: str) -> Values:
    """Of the values of the section ``server`` those whose field (by the flag's name) the spec writes out."""
    given = deployment.spec.server.model_fields_set
    return {name: value for name, value in values.items() if fields.get(name, name) in given}


def port_of(deployment: Deployment, values: Values) -> int:
    """The port that the server listens on: the spec's, or that of ``args``."""
    port = values.get("port")
    return port if isinstance(port, int) and not isinstance(port, bool) else deployment.spec.server.port


def host_of(deployment: Deployment, values: Values, name: str = "host") -> str:
    """The address that the server binds on the host: the spec's, or that of ``args``."""
    host = values.get(name)
    return host if isinstance(host, str) else deployment.spec.server.host


def secret_args(deployment: Deployment) -> tuple[tuple[str, str], ...]:
    """Flags under ``args`` whose value is a reference, each with the variable that holds it."""
    catalogue = catalogue_of(deployment)
    found: list[tuple[str, str]] = []
    for spelled, value in deployment.target.args.items():
        variable = _reference(value)
        if variable is not None:
            flag_found = catalogue.get(spelled)
            usual = "--" + spelled.lstrip("-").replace("_", "-")
            spellings = flag_found.spellings if flag_found is not None else ()
            found.append((next((s for s in spellings if s.startswith("--")), usual), variable))
    return tuple(found)


def _reference(value: object) -> str | None:
    """The variable that a value refers to, None for a plain value."""
    reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return (reference["braced"] or reference["bare"]) if reference is not None else None


def _canonical(catalogue: FlagCatalogue, written: str, value: SettingValue) -> tuple[str, SettingValue]:
    """The catalogue's name of a flag, and its value where the name is of its negation."""
    snake = written.lstrip("-").replace("-", "_")
    if "." in snake:
        return snake, value
    found = catalogue.get(written)
    if found is None:
        return snake, value
    is_negation = "--" + snake.replace("_", "-") in found.negations
    return found.name, (not value if is_negation and isinstance(value, bool) else value)


def words(deployment: Deployment, values: Values) -> tuple[str, ...]:
    """The flags of the exact version that give the values.

    A flag that no catalogue knows is written as it stands: ``check`` says what is wrong with it.
    """
    catalogue = catalogue_of(deployment)
    known = {name: value for name, value in values.items() if catalogue.get(name) is not None}
    unknown = tuple(word for name in values if name not in known for word in _unknown(name, values[name]))
    return (*catalogue.argv(known), *unknown)


def _unknown(name: str, value: SettingValue) -> Iterator[str]:
    spelling = "--" + name.replace("_", "-")
    if value is True:
        yield spelling
    elif value is not False and value is not None:
        yield f"{spelling}={value}"


def mig_profile(deployment: Deployment) -> str | None:
    """``3g.40gb`` where the spec's GPU is a part of one (A100-80GB-MIG-3g.40gb)."""
    _, separator, profile = deployment.gpu.name.rpartition("-MIG-")
    return profile if separator else None


def looks_like_flag(value: SettingValue) -> bool:
    """Whether the value, or one of a list, would be read as a flag where it stands as a word of its own."""
    if isinstance(value, tuple | list):
        return any(looks_like_flag(item) for item in value)
    return isinstance(value, str) and value.startswith("-")


def explain(deployment: Deployment, keys: tuple[Key, ...], title: str) -> tuple[Diagnostic, ...]:
    """A diagnostic for every key that this version cannot express, with the versions that can."""
    catalogue = catalogue_of(deployment)
    return tuple(
        Diagnostic(
            code=INEXPRESSIBLE,
            severity=key.severity,
            message=f"{title} {deployment.version} cannot express {key.path}{_versions(catalogue, key)}",
            engine=deployment.engine,
            key=key.path,
            fix=Fix(key.advice),
        )
        for key, way in _ways(deployment, _in_doubt(catalogue, keys))
        if way is None
    )


@lru_cache(maxsize=256)
def _in_doubt(catalogue: FlagCatalogue, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """The keys that some deployment may have no way to say: of most releases a few."""
    return tuple(key for key in keys if not any(_is_always_open(way, catalogue) for way in key.ways))


def _is_always_open(way: Way, catalogue: FlagCatalogue) -> bool:
    return way.holds is _always and all(catalogue.get(name) is not None for name in way.flags)


def _versions(catalogue: FlagCatalogue, key: Key) -> str:
    stretches = [
        f"{stretch.since} up to, but without, {stretch.until}"
        if stretch.until
        else f"{stretch.since} and later"
        for way in key.ways
        for name in way.flags[:1]
        if catalogue.get(name) is None
        for stretch in catalogue.history(name)
    ]
    return f" (versions that can: {', '.join(dict.fromkeys(stretches))})" if stretches else ""


def environment_of(deployment: Deployment) -> Environment:
    """``env`` of the spec with the target's over it: references are secrets, the rest plain values."""
    plain: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, value in {**deployment.spec.env, **deployment.target.env}.items():
        holder = _reference(value)
        if holder is not None:
            secrets[name] = holder
        else:
            plain[name] = _text(value)
    return Environment(plain=plain, secrets=secrets)


def _text(value: str | bool | int | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
