"""``servespec flags``: the flags of an engine version, and what changed since another."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from servespec.cli._parameters import TextOrJson
from servespec.engines import engine_names

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}

if TYPE_CHECKING:
    from servespec.engines.flag_catalogue import Flag, FlagCatalogue

CONTEXT_SETTINGS = {"ignore_unknown_options": True}
"""NAME may be written as on the engine's own command line: --max-model-len."""


def command(
    engine: Annotated[
        str,
        typer.Argument(
            metavar="ENGINE", help="vllm, tgi, sglang.", autocompletion=lambda: list(engine_names())
        ),
    ],
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="The newest known where it is left out.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One flag, by its name or as on the command line."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="VERSION", help="Only what changed since that version.")
    ] = None,
    output_format: TextOrJson = "text",
) -> int:
    """List the flags of an exact engine version.

    Names, types, choices, defaults. With NAME, that flag and the versions that have it; exits with 1 when the version
    has it not.
    """
    from servespec.engines.flag_catalogue import load, newest
    from servespec.errors import UsageError

    if engine not in engine_names():
        raise UsageError(f"no engine is named {engine!r}; there are {', '.join(engine_names())}")
    if version is not None and name is None and not re.match(r"v?\d", version):
        version, name = None, version
    catalogue = load(engine, version or newest(engine))
    if version is not None and not catalogue.exact:
        sys.stderr.write(f"warning: no {engine} {version} in the catalogue; {catalogue.version} is shown\n")
    if name is not None:
        return _one(catalogue, name, output_format)
    if since is not None:
        _changes(load(engine, since), catalogue, output_format)
    elif output_format == "json":
        _print_json({**_head(catalogue), "flags": [_row(flag) for flag in catalogue.flags.values()],
                     "environment": sorted(catalogue.environment)})  # fmt: skip
    else:
        print(f"{engine} {catalogue.version}: {len(catalogue.flags)} flags\n")
        for flag in sorted(catalogue.flags.values(), key=lambda flag: flag.name):
            print(_line(flag))
    return 0


def _head(catalogue: FlagCatalogue) -> dict[str, Any]:
    return {"engine": catalogue.engine, "version": catalogue.version, "exact": catalogue.exact}


def _print_json(value: Any) -> None:
    import json

    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _row(flag: Flag) -> dict[str, Any]:
    """A flag for programs; ``spellings`` are all words that the version accepts for it."""
    return {
        "name": flag.name, "spellings": [*flag.spellings, *flag.negations], "negations": list(flag.negations),
        "kind": flag.kind, "action": flag.action, "nargs": flag.nargs, "choices": flag.choices, "values": flag.values,
        "default": flag.default, "default_computed": flag.default_computed, "range": flag.bounds, "keys": flag.keys,
        "deprecated": flag.deprecated is not None, "use_instead": flag.deprecated or None, "env": flag.env,
        "config_field": flag.field,
    }  # fmt: skip


def _line(flag: Flag) -> str:
    from servespec.upgrade.flags import shown

    words = ", ".join([*flag.spellings, *flag.negations]) or f"<{flag.name}>"
    takes = "" if flag.kind == "bool" else f" {flag.kind}"
    if flag.choices is not None:
        takes = f" {{{','.join(map(str, flag.choices))}}}"
    default = "" if flag.kind == "bool" and flag.default in (False, None) else f"  [{shown(flag)}]"
    deprecated = "  deprecated" if flag.deprecated is not None else ""
    return f"{words}{takes}{default}{deprecated}"


def _one(catalogue: FlagCatalogue, name: str, output_format: str) -> int:
    flag, lifetimes = catalogue.get(name), catalogue.history(name)
    if output_format == "json":
        stretches = [{"since": stretch.since, "until": stretch.until} for stretch in lifetimes]
        behind = [{"keys": list(one.keys), "kind": one.kind, "choices": list(one.choices)}
                  for one in (catalogue.behind(flag.name) if flag else ())]  # fmt: skip
        _print_json({**_head(catalogue), "flag": _row(flag) if flag else None, "refused_at_start": behind,
                     "lifetimes": stretches})  # fmt: skip
        return 0 if flag is not None else 1
    if flag is None:
        from servespec.engines.flag_values import unknown

        print(unknown(catalogue, name).message)
        return 1
    print(_line(flag))
    if flag.deprecated is not None:
        print(f"  deprecated{': use ' + flag.deprecated if flag.deprecated else ''}")
    for label, value in (
        ("field", flag.field),
        ("variable", flag.env),
        ("range", tuple(f"{BOUNDS[key]} {limit:g}" for key, limit in (flag.bounds or {}).items())),
        ("keys", flag.keys),
    ):
        if value:
            print(f"  {label}: {', '.join(map(str, value)) if isinstance(value, tuple) else value}")
    for one in catalogue.behind(flag.name):
        what = "JSON" if one.kind == "json" else ", ".join(one.choices)
        print(f"  {'.'.join(one.keys) or 'at start'}: takes {what}")
    for stretch in lifetimes:
        print(f"  in {stretch.since} {'to before ' + stretch.until if stretch.until else 'and later'}")
    return 0


def _changes(old: FlagCatalogue, new: FlagCatalogue, output_format: str) -> None:
    from servespec.upgrade import flag_changes

    changes = flag_changes(old, new)
    if output_format == "json":
        rows = [{"kind": change.kind, "name": change.name, "message": change.message} for change in changes]
        _print_json({**_head(new), "since": old.version, "changes": rows})
        return
    for change in changes:
        print(f"{change.kind:<10} {change.message}")
