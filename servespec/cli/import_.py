"""``servespec import``: published launch configurations into specs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from servespec.cli._parameters import Overwrite


def command(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A file of any of these kinds; '-' reads standard input.")
    ],
    every: Annotated[
        bool, typer.Option("--all", help="Write one spec for each server in the source, not the first alone.")
    ] = False,
    engine_version: Annotated[
        str | None,
        typer.Option(
            "--engine-version", metavar="V", help="The engine's version, where the source does not say."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Write files NAME.yaml there instead of standard output."
        ),
    ] = None,
    force: Overwrite = False,
) -> None:
    """Turn a launch command or manifest into a spec.

    Reads commands, scripts, compose files, manifests, units, Dockerfiles and engine configurations. The spec goes to
    standard output; comments in it say what was assumed and what could not be carried.
    """
    from servespec.importing import import_source, to_yaml

    name = "standard input" if path == "-" else Path(path).name
    found = import_source(_text(path), None if path == "-" else path, engine_version).specs
    wanted = found if every else found[:1]
    if len(found) > len(wanted):
        lines = ", ".join(str(spec.line) for spec in found[1:])
        sys.stderr.write(
            f"warning: {name} has {len(found)} servers, the first is written (others: line {lines}); "
            "--all writes one spec each\n"
        )
    texts = [to_yaml(spec, name) for spec in wanted]
    if output is None:
        sys.stdout.write("---\n".join(texts))
        return
    _write(output, [(str(spec.data["name"]), text) for spec, text in zip(wanted, texts, strict=True)], force)


def _text(path: str) -> str:
    from servespec.diagnostics import Diagnostic
    from servespec.errors import SourceError
    from servespec.spec.source import MAX_SOURCE_BYTES, decode, read_bytes

    data = sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1) if path == "-" else read_bytes(path)
    if not isinstance(data, Diagnostic) and len(data) > MAX_SOURCE_BYTES:
        raise SourceError(f"{path} is larger than {MAX_SOURCE_BYTES:,} bytes: no launch configuration is")
    text = data if isinstance(data, Diagnostic) else decode(data, path)
    if isinstance(text, Diagnostic):
        if " " in path and not Path(path).exists():
            raise SourceError(f"{path}: {text.message}; a command itself is read from standard input: "
                              f"echo '…' | servespec import -")  # fmt: skip
        raise SourceError(f"{path}: {text.message}")
    return text


def _write(folder: Path, files: list[tuple[str, str]], force: bool) -> None:
    from servespec.cli._inputs import write_atomically
    from servespec.errors import ServespecError, UsageError

    paths: list[Path] = []
    for name, _ in files:
        path, number = folder / f"{name}.yaml", 1
        while path in paths:
            number += 1
            path = folder / f"{name}-{number}.yaml"
        if path.exists() and not force:
            raise UsageError(f"{path} is there already: give --force to overwrite it")
        paths.append(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServespecError(f"cannot write {folder}: {error.strerror}") from None
    for path, (_, text) in zip(paths, files, strict=True):
        write_atomically(str(path), text)
        print(path)
