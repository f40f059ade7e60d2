"""``servespec upgrade``: what newer engines do to a spec."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from servespec.cli._parameters import Online, SpecFile, TextOrJson


def command(
    file: SpecFile,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="ENGINE=VERSION", help="An engine's new version; may be repeated."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Rewrite the spec, keeping comments and order.")] = False,
    output_format: TextOrJson = "text",
    online: Online = False,
) -> int:
    """Show what newer engines do to a spec.

    Flags, effective settings, memory. Without --to: the newest version known of every engine that the spec is for.
    Exits with 1 when the new version would refuse the spec over something that a person has to decide.
    """
    from servespec.cli._inputs import load_one, unreadable, write_atomically
    from servespec.errors import UsageError
    from servespec.report.comparison import as_json, as_text
    from servespec.resolve import engines_of
    from servespec.upgrade import upgrade

    if fix and str(file) == "-":
        raise UsageError("--fix writes the file; standard input is none")
    loaded = load_one(file)
    spec = loaded.spec
    if spec is None:  # a text with mistakes of the language in it cannot be rewritten safely
        raise unreadable(loaded)
    text = loaded.sources[0].text
    found = upgrade(loaded, text, _versions(to or [], engines_of(spec)), online=online)
    if output_format == "json":
        sys.stdout.write(as_json(found.comparison, found))
    else:
        sys.stdout.write(as_text(found.comparison, found))
    if found.text != text:
        if fix:
            write_atomically(str(file), found.text)
            sys.stderr.write(f"{file} is rewritten\n")
        elif loaded.path != "-":
            sys.stderr.write(f"{file} is as it was: --fix rewrites it\n")
    return 1 if found.open_problems else 0


def _versions(to: list[str], engines: tuple[str, ...]) -> dict[str, str]:
    from servespec.engines import engine_names
    from servespec.engines.flag_catalogue import load, newest
    from servespec.errors import UsageError

    if not to:
        return {engine: newest(engine) for engine in engines}
    versions = {}
    for word in to:
        engine, separator, version = word.partition("=")
        if not separator or engine not in engine_names() or not version:
            raise UsageError(
                f"--to takes ENGINE=VERSION with one of {', '.join(engine_names())}, not {word!r}"
            )
        if not load(engine, version).exact:
            near = load(engine, version).version
            sys.stderr.write(f"warning: no {engine} {version} in the catalogue; {near} stands for it\n")
        versions[engine] = version
    return versions
